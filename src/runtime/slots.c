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
    slots->free = count < 1 ? -1 : count;
}

void chainsi_slots_done(chainsi_slots *slots)
{
    pthread_cond_destroy(&slots->freed);
    pthread_mutex_destroy(&slots->lock);
}

chains_status chainsi_slots_take(chainsi_slots *slots, const chains_ctx *ctx, int64_t deadline_ns)
{
    chains_status status = CHAINS_OK;
    pthread_mutex_lock(&slots->lock);
    while (slots->free == 0) {
        int64_t now = chainsi_now_ns();
        status = now >= deadline_ns ? CHAINS_DEADLINE_EXCEEDED : chainsi_context_stopped(ctx);
        if (status != CHAINS_OK)
            break;
        int64_t until = now + LOOK_EVERY_MS * CHAINSI_NS_PER_MS;
        struct timespec at = { .tv_sec = until / 1000000000, .tv_nsec = until % 1000000000 };
        pthread_cond_timedwait(&slots->freed, &slots->lock, &at);
    }
    if (status == CHAINS_OK && slots->free > 0)
        slots->free--;
    pthread_mutex_unlock(&slots->lock);
    return status;
}

void chainsi_slots_give(chainsi_slots *slots)
{
    pthread_mutex_lock(&slots->lock);
    if (slots->free >= 0) {
        slots->free++;
        pthread_cond_signal(&slots->freed);
    }
    pthread_mutex_unlock(&slots->lock);
}
