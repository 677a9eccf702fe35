/* The board of a service: shared memory in which callers of the same machine see the free slots of
 * all its replicas and claim one before they send. It is a shortcut beside the queue of the service's
 * listening socket, never the law: a wrong board makes a claim fail ("not started"), it doesn't decide
 * whether a call ran, and where there is none everything goes by the queue.
 *
 * A row is a replica, known by its incarnation (a random number, new at every start). Its own
 * socket, besides the service's, is the abstract Unix address "chains-<16 hex of the incarnation>".
 * Each slot is a word: a state, the claiming process, a generation that only goes up.
 *
 *            join                claim (caller)           start (replica)
 *   ABSENT ---------> FREE ------------------> CLAIMED ------------------> RUNNING
 *      ^               ^  \_____________________/  \  take (replica, for a queued call: FREE to RUNNING)
 *      |               |     withdraw (caller), revoke (replica)            |
 *      '---- leave ----'<---------------------------------------------------'
 *                                     free (replica), generation + 1
 *
 * All functions are for any thread and don't block. Every process of a chain may write the memory:
 * what is read from it is bounds-checked, and it belongs to one user's chain only. */
#ifndef CHAINSI_RPC_BOARD_H
#define CHAINSI_RPC_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/losses.h"

enum {
    CHAINSI_BOARD_ROWS = 256,    /* replicas at most; further ones live by the queue alone */
    CHAINSI_BOARD_SLOTS = 448,   /* of one replica at most; further ones are for queued calls */
    CHAINSI_BOARD_CALLERS = 256, /* processes whose waiting calls are counted */
};

typedef struct chainsi_board chainsi_board; /* a mapping */

/* Makes the memory of a new board: a CLOEXEC descriptor of a sealed-size memfd, or -1 with errno.
 * max_queue: calls that may wait (0: no limit). */
int chainsi_board_create(uint32_t max_queue);
/* The same for callers whose processes can't be seen from here, and the other way round: they, and replicas, have
 * numbers of other namespaces (rpc/near.h). */
int chainsi_board_create_for_strangers(void);
/* Maps a board; NULL if fd is none. fd stays the caller's and may be closed at once. */
chainsi_board *chainsi_board_open(int fd);
/* NULL is allowed. */
void chainsi_board_close(chainsi_board *board);

/* --- replicas --- */

/* A replica's row. All zero bytes: it is on no board, and the functions below do nothing, take and
 * start included (-1, false). */
typedef struct chainsi_seat {
    chainsi_board *board; /* not owned */
    uint32_t row, slots;
    uint64_t incarnation;
} chainsi_seat;

/* Takes a row and opens its first `slots` slots (CHAINSI_BOARD_SLOTS at most) to claims, for an
 * incarnation whose socket is listening already. False: no row is free. */
bool chainsi_board_join(chainsi_board *board, uint32_t slots, uint64_t incarnation,
                        chainsi_seat *seat);
/* Closes the row to claims, for draining: no slot is claimed from now on, and those that are free
 * or claimed are gone (a late start fails). Running ones end with chainsi_seat_free. Returns how many were
 * claimed: their calls may be on their way. */
uint32_t chainsi_seat_leave(chainsi_seat *seat);
/* A slot for a call from the queue: FREE to RUNNING. -1: none is free. */
int chainsi_seat_take(const chainsi_seat *seat);
/* CLAIMED to RUNNING for the call that came with this claim; false: it doesn't hold any more, the
 * call is not to be run on it. */
bool chainsi_seat_start(const chainsi_seat *seat, uint32_t slot, uint64_t claim);
/* RUNNING to FREE, or to ABSENT after leaving. run_ns: what the call took, for the row's moving average;
 * negative: don't count it. */
void chainsi_seat_free(const chainsi_seat *seat, uint32_t slot, int64_t run_ns);
/* Takes back claims whose callers died between claiming and sending, and those that have stood since
 * before claimed_before_ns (CLOCK_MONOTONIC): their callers stand still. Returns how many it took
 * back; *oldest_ns gets the time of the oldest claim left, CHAINSI_NEVER if there is none. Claims
 * know their time to the millisecond. */
int chainsi_seat_revoke(const chainsi_seat *seat, int64_t claimed_before_ns, int64_t *oldest_ns);

/* --- callers --- */

/* A claimed slot. */
typedef struct chainsi_claim {
    uint64_t incarnation; /* of the replica: where to send */
    uint64_t word;        /* to be sent with the call */
    uint32_t row, slot;
    int64_t at_ns; /* when, of CLOCK_MONOTONIC */
} chainsi_claim;

/* Claims a free slot of the replica that has answered fastest lately (new ones count as fast), or of
 * `preferred` (an incarnation, 0: none) if it is nearly as fast; not of `avoided` (0: none). False: no slot is
 * free. */
bool chainsi_board_claim(chainsi_board *board, uint64_t preferred, uint64_t avoided,
                         chainsi_claim *claim);
/* Claims up to count free slots of one replica, chosen likewise; returns how many. */
size_t chainsi_board_claim_many(chainsi_board *board, uint64_t preferred, uint64_t avoided,
                                chainsi_claim *claims, size_t count);
/* Gives a claim back. True: the call was not and will not be started on it. False: too late, it runs
 * or has run, or the replica took it back (then it answers NOT_STARTED). */
bool chainsi_board_withdraw(chainsi_board *board, const chainsi_claim *claim);
/* Whether the claim still waits to be started. */
bool chainsi_board_is_waiting(const chainsi_board *board, const chainsi_claim *claim);
/* Clears the row of an incarnation whose socket refuses connections: its process is gone. */
void chainsi_board_bury(chainsi_board *board, uint64_t incarnation);
/* Clears the rows of all processes that are gone, and frees the slots that they had claimed elsewhere: what they ran,
 * or were about to call, counts as running else. */
void chainsi_board_bury_dead(chainsi_board *board);
/* Rows that are open to claims, and their slots together. */
uint32_t chainsi_board_slots(const chainsi_board *board, uint32_t *replicas);
/* Free slots now, of all rows. */
uint32_t chainsi_board_free_slots(const chainsi_board *board);
/* A number that is another one after a slot has become free: so it tells of calls that came and went
 * between two looks. */
uint64_t chainsi_board_turns(const chainsi_board *board);
/* The replica that is this process: slots that are claimed or run a call, and what its calls take (a moving
 * average; 0: none has run). False, outputs untouched: it is on no row that is open to claims. */
bool chainsi_board_look(const chainsi_board *board, int32_t process, uint32_t *busy,
                        uint64_t *average_ns);

/* Why replicas ended, for callers that they were lost to. As long as the board. */
chainsi_losses *chainsi_board_losses(chainsi_board *board);
/* The incarnation of the replica that is, or was, this process, until a second one after it has its row. 0: it
 * was on no row. */
uint64_t chainsi_board_incarnation(const chainsi_board *board, int32_t process);

/* Counts one more call of this process that waits in the queue, or was taken from it and runs. False:
 * as many wait as may (max_queue and the slots together), and it was not counted. */
bool chainsi_board_enter_queue(chainsi_board *board);
void chainsi_board_leave_queue(chainsi_board *board);
/* Calls that wait, of all living processes. */
uint32_t chainsi_board_waiting(chainsi_board *board);

/* The address of a replica's own socket, for sockaddr_un with family AF_UNIX: writes the name with its leading
 * NUL into path (108 bytes) and returns the length for bind and connect. */
uint32_t chainsi_board_address(uint64_t incarnation, void *sockaddr_un);

#endif
