#include "base/yield.h"

#include <sched.h>
#include <stdatomic.h>

#include "base/clock.h"

enum {
    SLOW_US = 500,  /* a turn of others that took longer was no quick one */
    PAUSE_MS = 200, /* after which nothing is tried for so long */
};

void chainsi_yield(void)
{
    static _Atomic int64_t not_before_ns;
    const int64_t before_ns = chainsi_now_ns();
    if (before_ns < atomic_load_explicit(&not_before_ns, memory_order_relaxed))
        return;
    sched_yield();
    const int64_t after_ns = chainsi_now_ns();
    if (after_ns - before_ns > SLOW_US * INT64_C(1000))
        atomic_store_explicit(&not_before_ns, after_ns + PAUSE_MS * CHAINSI_NS_PER_MS,
                              memory_order_relaxed);
}
