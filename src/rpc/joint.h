/* A joint: how many threads of a process that call the same service at once share connections. Alone,
 * a call has a connection to itself (rpc/link.h), and the thread that calls sleeps in its read: two
 * system calls and a wake-up of its own for each. From CHAINSI_JOINT_CALLERS callers on, calls join:
 *
 *   a call that finds a free slot is added to the trunk, the one shared connection (rpc/sheaf.h) to
 *   that replica; one of the threads whose calls are on a trunk leads it: it sends what the others
 *   have added, reads, and wakes those whose answers have come; the others sleep. Who leads leaves
 *   with its own answer, and another of them leads.
 *
 * So calls leave and come back many in a read or a write, the callee reads and runs them likewise
 * (rpc/bundle.h), and a thread is woken by a futex, which costs half of a socket's wake-up.
 *
 * A call that finds no free slot waits here, in line, as long as calls of this process come back and
 * free some (the board is looked at with each answer, CHAINSI_JOINT_LOOK_US apart at most); otherwise
 * it goes to the service's queue, as it would alone.
 *
 * All functions are for any thread, many at once. */
#ifndef CHAINSI_RPC_JOINT_H
#define CHAINSI_RPC_JOINT_H

#include "rpc/link.h"

typedef struct chainsi_joint chainsi_joint;

enum {
    CHAINSI_JOINT_CALLERS = 8, /* that call at once, from which on they share connections */
    /* A call that waits here for a slot sees one that is free after so long at the latest. */
    CHAINSI_JOINT_LOOK_US = 200,
    /* It goes to the queue after so long, where calls of other processes may be ahead of it. */
    CHAINSI_JOINT_WAIT_MS = 4,
    /* Larger bodies have a connection to themselves, and so have all while answers are larger on average:
     * sharing copies each once more. */
    CHAINSI_JOINT_BODY = 4096,
};

/* Shares connections of the link, which has a board and outlives it. */
chainsi_joint *chainsi_joint_new(chainsi_link *link);
/* Closes its connections. No call may be running. NULL is allowed. */
void chainsi_joint_free(chainsi_joint *joint);
/* Closes connections on which nothing is outstanding. */
void chainsi_joint_close_idle(chainsi_joint *joint);

/* Counts one more call of the process. Whether they are enough to join. */
bool chainsi_joint_enter(chainsi_joint *joint);
/* Counts one less. answer_size: bytes of its answer; 0: it has none. */
void chainsi_joint_leave(chainsi_joint *joint, size_t answer_size);

typedef enum chainsi_joint_end {
    CHAINSI_JOINT_ENDED,    /* *end says how, as chainsi_link_exchange does */
    CHAINSI_JOINT_DECLINED, /* nothing was sent: the call has to go alone */
    CHAINSI_JOINT_MOVED,    /* it certainly was not started, and nobody need be told: likewise */
} chainsi_joint_end;

/* Makes a call together with those of other threads, and takes its answer into the arena. Blocks as
 * chainsi_link_exchange does, whose other arguments it has. */
chainsi_joint_end chainsi_joint_exchange(chainsi_joint *joint, const chainsi_link_request *request,
                                         chainsi_arena *arena, chainsi_link_answer *answer,
                                         chainsi_exchange_end *end, char *why, size_t why_size);

#endif
