/* Slots.
 *
 * Who is to wait counts itself in `waiting` before it looks at `free` for the last time; who gives
 * adds to `free` before it looks at `waiting`. One of the two sees the other, and so no slot is
 * given while somebody sleeps without being woken. */
#include "runtime/slots.h"

enum { LOOK_EVERY_MS = 5 }; /* a waiting thread asks this often whether its call was cancelled */

void chainsi_slots_init(chainsi_slots *slots, int count)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&slots->lock, NULL);
    pthread_cond_init(&slots->freed, &attributes);
    pthread_condattr_destroy(&attributes);
    slots->limit = count >= 1 ? count : 0;
    atomic_init(&slots->free, count);
    atomic_init(&slots->waiting, 0);
}

void chainsi_slots_done(chainsi_slots *slots)
{
    pthread_cond_destroy(&slots->freed);
    pthread_mutex_destroy(&slots->lock);
}

static bool take_free(chainsi_slots *slots)
{
    int free = atomic_load(&slots->free);
    while (free > 0)
        if (atomic_compare_exchange_weak(&slots->free, &free, free - 1))
            return true;
    return false;
}

/* Until one is given, or some milliseconds. Locked. */
static void wait_a_little(chainsi_slots *slots)
{
    int64_t until = chainsi_now_ns() + LOOK_EVERY_MS * CHAINSI_NS_PER_MS;
    struct timespec at = { .tv_sec = until / 1000000000, .tv_nsec = until % 1000000000 };
    pthread_cond_timedwait(&slots->freed, &slots->lock, &at);
}

int chainsi_slots_taken(const chainsi_slots *slots)
{
    return slots->limit ? slots->limit - atomic_load(&slots->free) : 0;
}

void chainsi_slots_wait_given(chainsi_slots *slots, const chains_ctx *ctx)
{
    pthread_mutex_lock(&slots->lock);
    atomic_fetch_add(&slots->waiting, 1);
    if (chainsi_context_stopped(ctx) == CHAINS_OK)
        wait_a_little(slots);
    atomic_fetch_sub(&slots->waiting, 1);
    pthread_mutex_unlock(&slots->lock);
}

static chains_status wait_for_slot(chainsi_slots *slots, const chains_ctx *ctx, int64_t deadline_ns)
{
    chains_status status = CHAINS_OK;
    pthread_mutex_lock(&slots->lock);
    atomic_fetch_add(&slots->waiting, 1);
    while (!take_free(slots)) {
        status = chainsi_now_ns() >= deadline_ns ? CHAINS_DEADLINE_EXCEEDED
                                                 : chainsi_context_stopped(ctx);
        if (status != CHAINS_OK)
            break;
        wait_a_little(slots);
    }
    atomic_fetch_sub(&slots->waiting, 1);
    pthread_mutex_unlock(&slots->lock);
    return status;
}

chains_status chainsi_slots_take(chainsi_slots *slots, const chains_ctx *ctx, int64_t deadline_ns)
{
    return !slots->limit || take_free(slots) ? CHAINS_OK : wait_for_slot(slots, ctx, deadline_ns);
}

size_t chainsi_slots_try(chainsi_slots *slots, size_t count)
{
    int free = slots->limit ? atomic_load(&slots->free) : 0;
    while (free > 0) {
        int taken = (size_t)free < count ? free : (int)count;
        if (atomic_compare_exchange_weak(&slots->free, &free, free - taken))
            return (size_t)taken;
    }
    return slots->limit ? 0 : count;
}

void chainsi_slots_give(chainsi_slots *slots)
{
    if (!slots->limit)
        return;
    atomic_fetch_add(&slots->free, 1);
    if (atomic_load(&slots->waiting) > 0) {
        pthread_mutex_lock(&slots->lock);
        pthread_cond_signal(&slots->freed);
        pthread_mutex_unlock(&slots->lock);
    }
}
