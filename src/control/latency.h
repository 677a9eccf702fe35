/* How long calls took: a histogram with logarithmic buckets, from which quantiles are read with an error
 * of at most 5 %. Fixed size, no allocation; of one thread. All zero bytes are an empty one.
 *
 * Bucket i holds times from 1.1^i to 1.1^(i+1) microseconds; the first also what is shorter, the last
 * what is longer (beyond 2 minutes). */
#ifndef CHAINSI_CONTROL_LATENCY_H
#define CHAINSI_CONTROL_LATENCY_H

#include <stdint.h>

enum { CHAINSI_LATENCY_BUCKETS = 196 };

typedef struct chainsi_latency {
    uint64_t count; /* of all buckets */
    uint64_t buckets[CHAINSI_LATENCY_BUCKETS];
} chainsi_latency;

/* Counts a call that took so long; negative counts as 0. */
void chainsi_latency_add(chainsi_latency *latency, int64_t ns);
/* Adds the counts of another one. */
void chainsi_latency_merge(chainsi_latency *latency, const chainsi_latency *more);
/* The time, in nanoseconds, within which this share of calls ended (0.5: the median): the geometric mean
 * of its bucket's limits. 0 if there are none. share: 0 to 1. */
int64_t chainsi_latency_quantile(const chainsi_latency *latency, double share);

#endif
