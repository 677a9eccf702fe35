/* What a Chainlet holds for each of its dependencies: where the calls go, and the options of this
 * edge of the graph.
 *
 * A local instance is made once and may stand behind several callees; a remote is an address with
 * its connections. */
#ifndef CHAINSI_RUNTIME_CALLEE_H
#define CHAINSI_RUNTIME_CALLEE_H

#include "base/attachments.h"
#include "base/buffer.h"
#include "runtime/batch.h"
#include "runtime/context.h"
#include "runtime/edge.h"
#include "runtime/glue.h"
#include "runtime/retry.h"
#include "runtime/slots.h"
#include "runtime/stream.h"

/* A Chainlet that lives in this process. */
typedef struct chainsi_instance {
    const chainsi_node *node;
    void *self;                     /* what _new returned; owned unless the node is a fake's own */
    chains_ctx ctx;                 /* of _new: lives until _free has returned */
    pthread_mutex_t lock;           /* of ctx */
    chainsi_slots slots;            /* .concurrency, where there is no batch */
    chainsi_batch *batch;           /* NULL: its calls run one by one */
    bool check_input, check_output; /* there are values of these types that can't be sent */
    struct chainsi_instance *next_fake; /* in the process's list, of a fake that a program made */
} chainsi_instance;

typedef struct chainsi_remote chainsi_remote;

typedef struct chainsi_callee {
    const chainsi_interface *interface;
    const chains_depends_config *options; /* never NULL */
    chainsi_instance *instance;           /* not owned; NULL: remote */
    chainsi_remote *remote;               /* owned; NULL: local */
    chainsi_slots in_flight;              /* .concurrency_limit */
    atomic_int
        announced; /* started calls that chainsi_local_announce told of, and that haven't begun */
    chainsi_retry_budget budget;
    chainsi_edge edge; /* of a remote one */
} chainsi_callee;

/* Options with everything unset. */
extern const chains_depends_config chainsi_depends_unset;

/* One attempt in this process. ctx: the caller's, where a failure is recorded. output: a struct of
 * interface->output, zeroed. intake: of a method with a stream, else NULL. */
chains_status chainsi_local_attempt(chainsi_instance *instance, chains_ctx *ctx, const void *input,
                                    void *output, chainsi_intake *intake, int64_t deadline_ns);

/* A call to a Chainlet in this process was started, and a job is going to make it with ctx: where batches
 * wait for what is in flight it counts as such from now on, if a thread and a place of .concurrency_limit are
 * free for it, which it then holds until its first attempt has ended. */
void chainsi_local_announce(chainsi_callee *callee, chains_ctx *ctx);
/* It has ended. It may not have begun. */
void chainsi_local_retract(chains_ctx *ctx);

/* A remote for an address; NULL with a reason. name: of the Chainlet that calls, for messages. */
chainsi_remote *chainsi_remote_new(const chainsi_interface *interface, const char *address,
                                   char *why, size_t why_size);
void chainsi_remote_free(chainsi_remote *remote);
/* Whether it may be several replicas over TCP; then, how many calls wait in this process for one of them that has
 * a free slot, or an address. Any thread. */
bool chainsi_remote_has_replicas(const chainsi_remote *remote);
int chainsi_remote_waiting(const chainsi_remote *remote);
/* Uses this board (rpc/board.h) instead of the one that the process was handed; board_fd stays the
 * caller's, -1: none. Before the first call. */
void chainsi_remote_use_board(chainsi_remote *remote, int board_fd);
/* The encoded input of a call; all zero bytes are an empty one. */
typedef struct chainsi_message {
    chainsi_buffer body;             /* owned */
    chainsi_attachments attachments; /* owned: what goes beside it, to a Chainlet on this machine */
} chainsi_message;
void chainsi_message_done(chainsi_message *message);
/* Encodes an input into an empty message; failures are recorded on ctx. */
chains_status chainsi_remote_encode(const chainsi_remote *remote, chains_ctx *ctx,
                                    const void *input, chainsi_message *message);
/* How an attempt that failed ended. */
typedef enum chainsi_attempt_end {
    CHAINSI_ATTEMPT_ENDED,       /* the callee, or this side, said how it ended */
    CHAINSI_ATTEMPT_NOT_STARTED, /* it certainly didn't begin to run */
    CHAINSI_ATTEMPT_LOST,        /* it may have run; nobody knows how it ended */
    CHAINSI_ATTEMPT_QUEUE_FULL,  /* it didn't begin: as many calls wait as may */
    CHAINSI_ATTEMPT_ABSENT,      /* nor here: until its deadline there was no replica */
} chainsi_attempt_end;

typedef struct chainsi_attempt {
    bool elsewhere;          /* asked for: not the replica that was called last, if that can be */
    chainsi_attempt_end end; /* what is known of a failure */
    int64_t retry_after_ns;  /* the callee wants no attempt sooner; 0: it didn't say */
} chainsi_attempt;

/* One attempt over the network. *attempt is empty but for what is asked for; end and retry_after_ns
 * are set where there is something to say. */
chains_status chainsi_remote_attempt(chainsi_remote *remote, chains_ctx *ctx,
                                     const chainsi_message *message, void *output,
                                     chainsi_intake *intake, int64_t deadline_ns,
                                     chainsi_attempt *attempt);

/* Makes the instance of a node with these dependencies, calling _new; NULL with the failure
 * recorded on ctx. Its memory is ctx's. */
chainsi_instance *chainsi_instance_new(const chainsi_node *node, chains_ctx *ctx,
                                       void *const callees[]);
/* Calls _free, unless it is a fake's own, and ends its ctx. */
void chainsi_instance_free(chainsi_instance *instance);
/* Makes what a Chainlet holds for a dependency. Memory is ctx's; end it with chainsi_callee_done.
 * instance or remote. */
chainsi_callee *chainsi_callee_new(chains_ctx *ctx, const chainsi_interface *interface,
                                   const chains_depends_config *options, chainsi_instance *instance,
                                   chainsi_remote *remote);
void chainsi_callee_done(chainsi_callee *callee);

/* Bytes that a call of it may have at most, body and attachments together. */
size_t chainsi_interface_max_body(const chainsi_interface *interface);
/* The address of a binding that isn't local: $CHAINS_<C_NAME>_URL, else the external's url; NULL:
 * there is none. */
const char *chainsi_binding_address(const chainsi_interface *interface);

#endif
