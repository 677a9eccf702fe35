/* Which of several replicas a caller tries next: pure functions of what it knows of them and of the
 * time, so that they can be tested without either. What a caller knows is a guess (others call, too);
 * a replica that has no free slot after all says so at once (rpc/grants.h).
 *
 * The fastest of those that should have a free slot comes first. */
#ifndef CHAINSI_RPC_CHOICE_H
#define CHAINSI_RPC_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "rpc/grants.h"

enum {
    CHAINSI_CHOICE_NONE = -1,
    /* A replica that said that it is busy may be asked again after what a call takes there for each
     * of its slots, from the first to the second. */
    CHAINSI_CHOICE_SOONEST_MS = 1,
    CHAINSI_CHOICE_LATEST_MS = 100,
    /* How long a replica that can't be reached is left alone: doubled from the first to the second. */
    CHAINSI_CHOICE_FIRST_PAUSE_MS = 20,
    CHAINSI_CHOICE_LONGEST_PAUSE_MS = 200,
    /* The same after it said that as many wait there as may. */
    CHAINSI_CHOICE_FULL_MS = 10,
};

/* What a caller knows of one replica; all zero bytes: nothing. */
typedef struct chainsi_choice {
    int outstanding;           /* own calls there */
    chainsi_grants_slots said; /* by itself; total 0: nothing yet */
    int64_t said_ns;           /* when */
    int sent_since;            /* own calls that were sent since then */
    int64_t run_ns;            /* what a call takes, moving average; 0: none has ended */
    int failures; /* in a row: it couldn't be reached, or was lost; 0: it answers, as far as is known */
    bool back;             /* and could be connected to since then: calls may go there again */
    int64_t down_until_ns; /* and is left alone until then */
    int64_t full_until_ns; /* its queue was full, and isn't asked before that */
    bool plain;            /* it knows nothing of grants: calls wait in it */
} chainsi_choice;

/* The index of the replica to try next, of those that aren't to be skipped; NONE: no slot is likely
 * to be free. Replicas that can't be reached are not tried, unless that is so of all; then one of them is. Ties go
 * to the first one from `start` on. may_guess: also what was busy, and may be no longer, where it is so much
 * faster than the best of the others that asking in vain is worth it. */
int chainsi_choice_pick(const chainsi_choice *const replicas[], const bool skipped[], int count,
                        unsigned start, bool may_guess, int64_t now_ns);

/* Whether it can't be reached, as far as is known. */
static inline bool chainsi_choice_is_away(const chainsi_choice *replica)
{
    return replica->failures && !replica->back;
}

/* Whether one that was picked was so in need: it can't be reached, or lets calls wait. */
bool chainsi_choice_in_need(const chainsi_choice *replica);

/* A call is sent; to a slot that was kept for it, or not. */
void chainsi_choice_sent(chainsi_choice *replica, bool granted);
/* A call has ended; run_ns: what it took where it was answered, else 0. */
void chainsi_choice_ended(chainsi_choice *replica, int64_t run_ns);
/* It said how many slots it has. */
void chainsi_choice_said(chainsi_choice *replica, chainsi_grants_slots slots, int64_t now_ns);
/* It has no free slot, and didn't say more. */
void chainsi_choice_busy(chainsi_choice *replica, int64_t now_ns);
/* It couldn't be reached / it could, and answered. */
void chainsi_choice_failed(chainsi_choice *replica, int64_t now_ns);
void chainsi_choice_reached(chainsi_choice *replica);
/* Whether it may be asked for a slot now; else *next_ns is lowered to when it may. */
bool chainsi_choice_may_want(const chainsi_choice *replica, int64_t now_ns, int64_t *next_ns);

#endif
