/* A histogram of times, kept in a tally (base/tally.h): so many counters, one a bucket, and one for the sum
 * of all times. The buckets range from 10 microseconds to two minutes, as services take either. */
#ifndef CHAINSI_BASE_HISTOGRAM_H
#define CHAINSI_BASE_HISTOGRAM_H

#include "base/tally.h"

enum {
    CHAINSI_HISTOGRAM_BOUNDS = 16,
    /* Counters of one: the buckets, of which the last is "longer than all", and the sum. */
    CHAINSI_HISTOGRAM_COUNTERS = CHAINSI_HISTOGRAM_BOUNDS + 2,
};

/* The buckets' upper bounds, nanoseconds. */
extern const int64_t chainsi_histogram_bounds[CHAINSI_HISTOGRAM_BOUNDS];

/* Counts a time, in the counters from `first` on; negative counts as 0. Any thread. */
void chainsi_histogram_add(chainsi_tally *tally, uint32_t first, int64_t ns);

#endif
