/* Counters that many threads add to without meeting: each thread adds to numbers of its own, and reading
 * sums them. Adding costs a nanosecond or two, whatever other threads do; reading takes a lock and
 * looks at all threads. What a thread has added stays when it ends. */
#ifndef CHAINSI_BASE_TALLY_H
#define CHAINSI_BASE_TALLY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CHAINSI_TALLY_CHUNK = 128, /* counters that a thread gets memory for at once */
    CHAINSI_TALLY_CHUNKS = 64,
};

/* `count` counters, numbered from 0. Begins as CHAINSI_TALLY(count). */
typedef struct chainsi_tally {
    uint32_t count;
    _Atomic uint32_t
        base; /* its first counter's number in every thread, plus 1; 0: not placed yet */
} chainsi_tally;

#define CHAINSI_TALLY(counters)                                                                    \
    {                                                                                              \
        .count = (counters)                                                                        \
    }

/* A thread's numbers. */
typedef struct chainsi_tally_page {
    _Atomic(_Atomic uint64_t *) chunks[CHAINSI_TALLY_CHUNKS]; /* owned; NULL: all 0 */
    struct chainsi_tally_page *next;
} chainsi_tally_page;

extern _Thread_local chainsi_tally_page *chainsi_tally_own;

/* For chainsi_tally_add. */
_Atomic uint64_t *chainsi_tally_place(chainsi_tally *tally, uint32_t counter);

/* Adds n to a counter. Any thread. */
static inline void chainsi_tally_add(chainsi_tally *tally, uint32_t counter, uint64_t n)
{
    const uint32_t base = atomic_load_explicit(&tally->base, memory_order_acquire);
    const uint32_t at = base - 1 + counter;
    chainsi_tally_page *own = chainsi_tally_own;
    _Atomic uint64_t *chunk =
        own && base
            ? atomic_load_explicit(&own->chunks[at / CHAINSI_TALLY_CHUNK % CHAINSI_TALLY_CHUNKS],
                                   memory_order_relaxed)
            : NULL;
    _Atomic uint64_t *place =
        chunk ? &chunk[at % CHAINSI_TALLY_CHUNK] : chainsi_tally_place(tally, counter);
    /* Nobody else writes it. */
    atomic_store_explicit(place, atomic_load_explicit(place, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* Makes this thread's page, with all that is in use, so that its first calls needn't. */
void chainsi_tally_begin_thread(void);

/* What all threads have added, modulo 2^64. Any thread; what others add meanwhile may count or not. */
uint64_t chainsi_tally_read(const chainsi_tally *tally, uint32_t counter);
/* All counters at once, into sums[tally->count]. */
void chainsi_tally_read_all(const chainsi_tally *tally, uint64_t *sums);
/* Gives the counters' places back; nobody may add any more. It may be used again, from 0. */
void chainsi_tally_done(chainsi_tally *tally);

#endif
