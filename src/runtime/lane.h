/* A lane: the started calls of one fan-out to one Chainlet on this machine, on their way without
 * threads (fanout.h drives it).
 *
 *             a slot is claimed, or                   answered
 *             a place in the queue     .----------------------------------> DONE
 *   PENDING --------------------------> SENT --failed, for good-----------> DONE
 *      ^  ^                              |  \--failed, may be tried again--> PAUSED
 *      |  '---- certainly not started ---'                                    |
 *      '------------------------------- its backoff is over -----------------'
 *   SENT --the replica was lost, and it isn't known yet why--> PAUSED --looks again, then as if it failed now
 *   (anything but DONE) --the gather is cancelled, its deadline has come--> DONE
 *
 * Pending calls are sent in the order of starting, at most .concurrency_limit in flight. Those that
 * find free slots of one replica leave in one write. A call that finds none waits in the caller for a
 * moment, because the next answer to this lane frees one; then it goes to the service's queue, where
 * the first slot to free takes it, as many at once as the service has slots.
 *
 * .timeout_ms of an attempt counts from when it is sent.
 *
 * Used by one thread at a time, which drives the fan-out. */
#ifndef CHAINSI_RUNTIME_LANE_H
#define CHAINSI_RUNTIME_LANE_H

#include "rpc/sheaf.h"
#include "runtime/gather.h"
#include "runtime/remote.h"
#include "runtime/retry.h"
#include "runtime/spans.h"

typedef enum chainsi_branch_state {
    CHAINSI_BRANCH_PENDING,
    CHAINSI_BRANCH_SENT,
    CHAINSI_BRANCH_PAUSED,
    CHAINSI_BRANCH_DONE,
} chainsi_branch_state;

typedef struct chainsi_branch chainsi_branch;
typedef struct chainsi_lane chainsi_lane;

/* A connection of a lane. */
typedef struct chainsi_trunk {
    chainsi_sheaf sheaf;
    chainsi_lane *lane;
    struct chainsi_trunk *next, *previous; /* of the lane */
    bool placed; /* its one call waits in the queue, and is counted there */
    bool sole;   /* it carries one call, for whichever replica takes it */
    bool heard;  /* something was read from it */
} chainsi_trunk;

/* An attempt whose replica was lost, of which it isn't known yet why. */
typedef struct chainsi_lost_exchange {
    int64_t at_ns; /* 0: it isn't one */
    uint64_t replica;
    int error;
} chainsi_lost_exchange;

/* A started call. */
struct chainsi_branch {
    chainsi_job job; /* first: what the gather sees of it */
    chainsi_callee *callee;
    chainsi_branch *next, *previous; /* of those that have just started, pending, or sent */
    chainsi_branch_state state;
    const void *body; /* encoded; in large_body or in the gather's memory */
    size_t body_size;
    chainsi_buffer large_body;        /* owned */
    chainsi_attachments *attachments; /* what goes beside it, owned; NULL: nothing */
    int *descriptors;                 /* theirs */
    void *scratch;                    /* the output, decoded */
    void **outputs;                   /* where it goes */
    chainsi_retry_state retry;
    chainsi_made made;
    int moves; /* from replicas that turned out to be gone */
    int64_t made_ns,
        timed_ns; /* when it was first sent; and if it is one of those that are timed, else 0 */
    /* of the attempt, once SENT */
    int64_t sent_ns, deadline_ns;
    chainsi_trunk *trunk;
    uint32_t id; /* on the trunk */
    bool claimed;
    chainsi_claim claim;
    int64_t due_ns; /* while PAUSED */
    chainsi_lost_exchange lost;
};

typedef struct chainsi_branches {
    chainsi_branch *first, *last;
    size_t count;
} chainsi_branches;

struct chainsi_lane {
    chainsi_lane *next; /* of the fan-out */
    chainsi_fanout *fanout;
    chainsi_callee *callee;
    chainsi_link *link;
    chainsi_frame frame; /* what the calls have in common */
    chainsi_branches pending, sent;
    chainsi_trunk *trunks;
    size_t placed;      /* trunks that are */
    int64_t starved_ns; /* since when no slot was found; 0: one was */
    int64_t look_ns;    /* when claims are next looked after */
    bool blocked;       /* others have all of .concurrency_limit, or of the queue */
};

void chainsi_branches_add(chainsi_branches *list, chainsi_branch *branch);
void chainsi_branches_remove(chainsi_branches *list, chainsi_branch *branch);

/* Fills in a lane of the fan-out. */
void chainsi_lane_init(chainsi_lane *lane, chainsi_fanout *fanout, chainsi_callee *callee);
/* Sends what can be sent, ends what has timed out, and looks after claims that no replica begins. */
void chainsi_lane_advance(chainsi_lane *lane, int64_t now_ns);
/* When it has to be advanced again at the latest if nothing is heard; CHAINSI_NEVER. */
int64_t chainsi_lane_wakes(const chainsi_lane *lane, int64_t now_ns);
/* Something may have come on this connection, or it can be written to. block: wait a little for
 * something to come. The trunk may be gone afterwards. */
void chainsi_trunk_advance(chainsi_trunk *trunk, bool block, int64_t now_ns);
/* A call that was PAUSED goes on. */
void chainsi_lane_resume(chainsi_lane *lane, chainsi_branch *branch, int64_t now_ns);
/* Ends everything that isn't DONE with status. */
void chainsi_lane_stop(chainsi_lane *lane, chains_status status);
/* Keeps or closes its connections; nothing is outstanding that anybody waits for. */
void chainsi_lane_done(chainsi_lane *lane);

/* What a lane asks of its fan-out. */

/* Tells of a call that is DONE (runtime/spans.h). */
void chainsi_branch_tell_end(chainsi_branch *branch);
/* Makes branch->job.ctx, if there is none yet, in the memory of `from`, the fan-out's ctx. */
void chainsi_branch_error_ctx(chainsi_branch *branch, chains_ctx *from);

chains_ctx *chainsi_fanout_ctx(chainsi_fanout *fanout); /* memory, and a place for an error */
void chainsi_fanout_pause(chainsi_fanout *fanout, chainsi_branch *branch);
/* It is DONE with its status. */
void chainsi_fanout_ended(chainsi_fanout *fanout, chainsi_branch *branch);

#endif
