#include "base/histogram.h"

const int64_t chainsi_histogram_bounds[CHAINSI_HISTOGRAM_BOUNDS] = {
    10000,    50000,     100000,    500000,    1000000,    5000000,    10000000,    25000000,
    50000000, 100000000, 250000000, 500000000, 1000000000, 5000000000, 30000000000, 120000000000,
};

void chainsi_histogram_add(chainsi_tally *tally, uint32_t first, int64_t ns)
{
    uint32_t bucket = 0;
    while (bucket < CHAINSI_HISTOGRAM_BOUNDS && ns > chainsi_histogram_bounds[bucket])
        bucket++;
    chainsi_tally_add(tally, first + bucket, 1);
    if (ns > 0)
        chainsi_tally_add(tally, first + CHAINSI_HISTOGRAM_BOUNDS + 1, (uint64_t)ns);
}
