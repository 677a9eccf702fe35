/* Why replicas of a service ended: notes that whoever starts them leaves for their callers, in a part of the
 * memory of its board (rpc/board.h).
 *
 * A caller whose connection broke knows that its call was lost, not why. Where deaths are noted, it looks here,
 * and waits a little: the connection breaks before anybody has learned how the process ended. Nothing of this
 * is touched by a call that is answered.
 *
 * A caller that had claimed a slot knows the replica by its incarnation, and finds that one's note. A call that
 * a replica took from the queue doesn't say which one it was: then all count that are noted from
 * CHAINSI_LOSS_BEFORE_MS before the break on, and where these disagree nothing is known.
 *
 * Any thread; one process notes. Every process of a chain may write the memory: what is read can be wrong,
 * and is a reason at most. */
#ifndef CHAINSI_RPC_LOSSES_H
#define CHAINSI_RPC_LOSSES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum chainsi_loss {
    CHAINSI_LOSS_UNKNOWN, /* nobody has noted it */
    CHAINSI_LOSS_OTHER,   /* an exit, or whatever else */
    CHAINSI_LOSS_MEMORY,  /* the kernel killed it: it exceeded its memory limit */
    CHAINSI_LOSS_DRAINED, /* it had been told to end; calls that still ran then were too slow */
    CHAINSI_LOSS_SIGNAL,  /* and the number of the signal that ended it in addition */
    CHAINSI_LOSS_LAST_SIGNAL = CHAINSI_LOSS_SIGNAL + 64,
} chainsi_loss;

/* CHAINSI_LOSS_SIGNAL + … or CHAINSI_LOSS_OTHER. wait_status: as of waitpid(). */
chainsi_loss chainsi_loss_of(int wait_status);
/* "signal 6 (SIGABRT)" in text; false, and an empty text: it was no signal. */
bool chainsi_loss_signal(chainsi_loss loss, char *text, size_t size);

enum {
    CHAINSI_LOSSES_KEPT = 64,
    CHAINSI_LOSS_BEFORE_MS = 100,
    /* How long a caller waits for a note. It comes within milliseconds, unless whoever notes is being replaced. */
    CHAINSI_LOSS_WAIT_MS = 1000,
    CHAINSI_LOSS_LOOK_MS = 10, /* how often it asks meanwhile whether it is still to wait */
};

typedef struct chainsi_loss_note {
    _Atomic uint64_t incarnation; /* 0: it was on no board */
    _Atomic int64_t noted_ns;     /* CLOCK_MONOTONIC; 0: nothing stands here */
    _Atomic uint32_t loss;
} chainsi_loss_note;

/* All zero bytes: nobody notes anything. */
typedef struct chainsi_losses {
    _Atomic uint32_t promised; /* whether every death is noted */
    _Atomic uint32_t count;    /* of notes so far; a futex */
    chainsi_loss_note notes[CHAINSI_LOSSES_KEPT];
} chainsi_losses;

/* From now on every death is noted: callers wait for it. */
void chainsi_losses_promise(chainsi_losses *losses);
bool chainsi_losses_are_promised(const chainsi_losses *losses);
/* Notes one, and wakes those that wait. incarnation 0: not known. */
void chainsi_losses_note(chainsi_losses *losses, uint64_t incarnation, chainsi_loss loss,
                         int64_t now_ns);

/* What is known of the replica (0: of whichever it was) to which a connection broke at lost_ns. */
chainsi_loss chainsi_losses_find(const chainsi_losses *losses, uint64_t incarnation,
                                 int64_t lost_ns);
/* The same, and blocks until it is known, CHAINSI_LOSS_WAIT_MS after lost_ns, until the deadline or until
 * is_over(user) says so at most (NULL: nothing does). Returns at once where deaths aren't noted. */
chainsi_loss chainsi_losses_await(const chainsi_losses *losses, uint64_t incarnation,
                                  int64_t lost_ns, int64_t deadline_ns, bool (*is_over)(void *user),
                                  void *user);
/* For who can't block: when to look again. 0: it is known, or nobody is to wait for it any more. */
int64_t chainsi_losses_look_again(const chainsi_losses *losses, uint64_t incarnation,
                                  int64_t lost_ns, int64_t now_ns);

#endif
