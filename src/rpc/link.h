/* The calling side between Chainlets of one machine: framed connections (rpc/frame.h) to the
 * replicas of one service, found by its board where there is one, else by its shared socket.
 *
 * A call goes one of two ways:
 *   claimed   a free slot of a replica was claimed on the board; the call goes out on a connection
 *             to that replica's own socket, kept or new
 *   queued    no slot was free, or there is no board: the call goes out on a new connection to the
 *             service's shared socket and waits in the kernel until a slot takes it
 * A connection that was answered on is kept for the replica that answered (CHAINSI_MAX_IDLE of
 * them; the oldest goes first). Claimed calls of many threads at once share one (rpc/joint.h). There are no threads here: who calls writes and reads itself.
 *
 * All functions are for any thread, many at once. */
#ifndef CHAINSI_RPC_LINK_H
#define CHAINSI_RPC_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "rpc/address.h"
#include "rpc/board.h"
#include "rpc/client.h"
#include "rpc/frame.h"

enum {
    /* A blocking read on a connection gives up after so long (and a tick): nothing but the callee is
     * heard meanwhile, so a call that is cancelled finds out this much later. */
    CHAINSI_LINK_PATIENCE_MS = 2,
    /* A claimed call that no replica has begun after so long moves if another slot is free; after
     * the second time in any case. (A replica that runs begins within microseconds.) */
    CHAINSI_LINK_MOVE_MS = 20,
    CHAINSI_LINK_GIVE_UP_MS = 100,
    /* A replica that a call was moved away from is claimed on again after so long. */
    CHAINSI_LINK_AVOID_MS = 1000,
};

typedef struct chainsi_link chainsi_link;

/* A link to the service whose shared socket is at path; connects to nothing yet. board_fd: its
 * board's memory, stays the caller's; -1, or something that is no board: none. */
chainsi_link *chainsi_link_new(const char *path, int board_fd);
/* The same to one replica in another container (rpc/near.h), whose own socket is at path: there is no shared one, and
 * requests must be claimed_only. */
chainsi_link *chainsi_link_new_near(const char *path, int board_fd);
/* Closes what is kept. No call may be running. NULL is allowed. */
void chainsi_link_free(chainsi_link *link);
/* Closes the kept connections, as before a long pause. */
void chainsi_link_close_idle(chainsi_link *link);
/* The connections that calls of many threads share (rpc/joint.h); NULL without a board. */
struct chainsi_joint *chainsi_link_joint(const chainsi_link *link);
/* NULL: there is none. Lives as long as the link. */
chainsi_board *chainsi_link_board(const chainsi_link *link);

/* ------------------------------------------------------------------------------------------------
 * one call */

/* Takes the items of a stream as they come, on the thread that makes the exchange. */
typedef struct chainsi_link_sink {
    /* Takes one, size bytes that it may write to until it returns, and `count` descriptors beside it,
     * which are its to close. The callee waits meanwhile, once the socket is full. false: no more
     * are wanted, and the exchange ends as INTERRUPTED. */
    bool (*take)(void *user, char *item, size_t size, const int *attachments, int count);
    void *user;
    int64_t deadline_ns; /* beside the request's; take may move it. CHAINSI_NEVER: none */
} chainsi_link_sink;

typedef struct chainsi_link_request {
    uint64_t interface;     /* the fingerprint of the interface that the caller was built with */
    const char *request_id; /* "": the callee makes one; no longer than the protocol's limit */
    uint8_t trace_id[16];   /* all zero: none */
    uint8_t span_id[8];
    bool recorded;    /* the trace's spans are */
    const void *body; /* MessagePack */
    size_t body_size;
    const int *attachments; /* descriptors that travel beside the body; stay the caller's */
    uint8_t attachment_count;
    int64_t deadline_ns;                /* CHAINSI_NEVER: none */
    size_t max_body;                    /* of the answer, bytes; 0: CHAINSI_MAX_BODY */
    const chainsi_interrupt *interrupt; /* NULL: none */
    chainsi_link_sink *sink;            /* NULL: an answer with items is refused */
    bool elsewhere;                     /* not the replica that was called last, if that can be */
    bool claimed_only; /* where no slot is free it isn't sent: NOT_STARTED, with error EBUSY */
} chainsi_link_request;

typedef struct chainsi_link_answer {
    uint8_t status; /* 0: body is the output, else an error body */
    char *body;     /* in the arena, mutable, a NUL behind it */
    size_t body_size;
    int attachments[CHAINSI_FRAME_MAX_ATTACHMENTS]; /* the caller's to close */
    int attachment_count;
    uint64_t incarnation;    /* of the replica that answered, refused or was lost; 0: not known */
    uint32_t retry_after_ms; /* do not try again sooner; 0: it doesn't say */
    int error; /* errno of what failed where the end is not ANSWERED, else 0. EAGAIN: the queue of the
                  service is full */
} chainsi_link_answer;

/* Makes a call and reads its answer into the arena. Blocks until then, or until deadline or
 * interrupt; on any end but ANSWERED why holds a sentence, and a call that may be running was
 * cancelled by closing its connection. A kept connection that turns out to be closed, and a replica
 * that is gone, are replaced without a word, where it is certain that nothing started.
 *
 * While items come without a pause neither deadline nor interrupt is asked: that is for the sink. After
 * the first of them the end is never NOT_STARTED. */
chainsi_exchange_end chainsi_link_exchange(chainsi_link *link, const chainsi_link_request *request,
                                           chainsi_arena *arena, chainsi_link_answer *answer,
                                           char *why, size_t why_size);

/* ------------------------------------------------------------------------------------------------
 * the parts, for who drives several calls at once */

/* A connection. Its descriptor blocks, but for CHAINSI_LINK_PATIENCE_MS at most. */
typedef struct chainsi_wire {
    int fd;               /* owned; -1: none */
    bool kept;            /* it was in use before: the other end may have closed it meanwhile */
    bool begun;           /* the preface was sent */
    uint64_t incarnation; /* of the replica behind it; 0: not known */
} chainsi_wire;

/* Takes a kept connection to that replica (0: to any), the most recent. False: there is none. */
bool chainsi_link_take(chainsi_link *link, uint64_t incarnation, chainsi_wire *wire);
/* Connects to that replica's own socket (0: to the shared one). 0 or an errno: ECONNREFUSED, the
 * replica is gone (and was buried); EAGAIN, the queue is full. */
int chainsi_link_connect(chainsi_link *link, uint64_t incarnation, chainsi_wire *wire);
/* Keeps a connection on which nothing is outstanding; *wire is none afterwards. */
void chainsi_link_keep(chainsi_link *link, chainsi_wire *wire);
void chainsi_wire_close(chainsi_wire *wire);
/* Closes the kept connections to a replica. */
void chainsi_link_forget(chainsi_link *link, uint64_t incarnation);

/* Claims up to count free slots of one replica, the one used last if it is as good as any. 0: none
 * is free, or there is no board. */
size_t chainsi_link_claim(chainsi_link *link, uint64_t avoided, chainsi_claim *claims,
                          size_t count);
/* The replica that was claimed on last; 0: none yet. */
uint64_t chainsi_link_recent(const chainsi_link *link);
/* A replica stands still: it is not claimed on for CHAINSI_LINK_AVOID_MS. */
void chainsi_link_avoid(chainsi_link *link, uint64_t incarnation);

/* Takes the descriptors out of a received message, up to `most` in all; any further are closed. */
struct msghdr;
int chainsi_wire_take_attachments(struct msghdr *message, int *attachments, int count, int most);

#endif
