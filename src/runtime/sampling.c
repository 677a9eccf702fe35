#include "runtime/sampling.h"

/* A trace takes one token, and so puts off the time at which the bucket is full by one interval; it is
 * empty when that time is a whole burst away. */
bool chainsi_sampling_choose(chainsi_sampling *sampling, int64_t now_ns, uint64_t low)
{
    static const int64_t interval_ns = INT64_C(1000000000) / CHAINSI_SAMPLING_RATE;
    int64_t full_ns = atomic_load_explicit(&sampling->full_ns, memory_order_relaxed);
    for (;;) {
        const int64_t from_ns = full_ns > now_ns ? full_ns : now_ns;
        if (from_ns - now_ns > (CHAINSI_SAMPLING_BURST - 1) * interval_ns)
            return low % CHAINSI_SAMPLING_SHARE == 0;
        if (atomic_compare_exchange_weak_explicit(&sampling->full_ns, &full_ns,
                                                  from_ns + interval_ns, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    }
}
