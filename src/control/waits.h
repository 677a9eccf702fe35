/* Waiting times of simulated calls: their mean, and percentiles to a twentieth. Unlike latencies
 * (control/latency.h) they are counted by the million, may be 0, and may be weeks. */
#ifndef CHAINSI_CONTROL_WAITS_H
#define CHAINSI_CONTROL_WAITS_H

#include <stdint.h>

enum { CHAINSI_WAITS_BUCKETS = 500 };

/* All zero: none were counted. Those of up to a millisecond are in the first bucket, each other one
 * reaches a twentieth further: the last one to more than a year. */
typedef struct chainsi_waits {
    int64_t count;
    double sum_s, max_s;
    int64_t buckets[CHAINSI_WAITS_BUCKETS];
} chainsi_waits;

/* Counts `count` calls that waited for so long. */
void chainsi_waits_add(chainsi_waits *waits, double wait_s, int64_t count);
/* Adds what another has counted. */
void chainsi_waits_merge(chainsi_waits *waits, const chainsi_waits *other);
/* Seconds; 0 if there are none. */
double chainsi_waits_mean(const chainsi_waits *waits);
/* The time that the share (0 to 1) of them waited at most; exact for 0 and for the longest. */
double chainsi_waits_quantile(const chainsi_waits *waits, double share);

#endif
