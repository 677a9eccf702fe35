/* Slots: a counting limit on calls that run at once, for local Chainlets (.concurrency) and for the
 * calls to one dependency (.concurrency_limit).
 *
 * Taking and giving while a slot is free is one atomic operation each; only who waits locks. */
#ifndef CHAINSI_RUNTIME_SLOTS_H
#define CHAINSI_RUNTIME_SLOTS_H

#include "runtime/context.h"

typedef struct chainsi_slots {
    int limit; /* 0: none */
    atomic_int free;
    atomic_int waiting; /* threads that wait, or are about to */
    pthread_mutex_t lock;
    pthread_cond_t freed;
} chainsi_slots;

/* count below 1: no limit. */
void chainsi_slots_init(chainsi_slots *slots, int count);
void chainsi_slots_done(chainsi_slots *slots);
/* Takes a slot, or waits for one until ctx is cancelled or deadline_ns has come: then CANCELLED or
 * DEADLINE_EXCEEDED, nothing taken, and nothing recorded on ctx. */
chains_status chainsi_slots_take(chainsi_slots *slots, const chains_ctx *ctx, int64_t deadline_ns);
/* Takes as many as are free now, up to count; returns how many. Doesn't block. */
size_t chainsi_slots_try(chainsi_slots *slots, size_t count);
/* Slots that are taken now; 0 where there is no limit. */
int chainsi_slots_taken(const chainsi_slots *slots);
/* Waits until somebody gives a slot, or for some milliseconds, or until ctx is cancelled. */
void chainsi_slots_wait_given(chainsi_slots *slots, const chains_ctx *ctx);
/* Takes as many as are free now, up to count; returns how many. Doesn't block. */
size_t chainsi_slots_try(chainsi_slots *slots, size_t count);
void chainsi_slots_give(chainsi_slots *slots);

#endif
