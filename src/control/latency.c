#include "control/latency.h"

#include <math.h>

#define GROWTH    1.1
#define NS_PER_US 1000.0

void chainsi_latency_add(chainsi_latency *latency, int64_t ns)
{
    double us = ns > 0 ? (double)ns / NS_PER_US : 0;
    int bucket = us > 1 ? (int)(log(us) / log(GROWTH)) : 0;
    if (bucket >= CHAINSI_LATENCY_BUCKETS)
        bucket = CHAINSI_LATENCY_BUCKETS - 1;
    latency->buckets[bucket]++;
    latency->count++;
}

void chainsi_latency_merge(chainsi_latency *latency, const chainsi_latency *more)
{
    for (int i = 0; i < CHAINSI_LATENCY_BUCKETS; i++)
        latency->buckets[i] += more->buckets[i];
    latency->count += more->count;
}

int64_t chainsi_latency_quantile(const chainsi_latency *latency, double share)
{
    if (!latency->count)
        return 0;
    double rank = ceil(share * (double)latency->count);
    uint64_t wanted = rank < 1                         ? 1
                      : rank >= (double)latency->count ? latency->count
                                                       : (uint64_t)rank;
    uint64_t seen = 0;
    int bucket = 0;
    while ((seen += latency->buckets[bucket]) < wanted)
        bucket++;
    return (int64_t)(pow(GROWTH, bucket + 0.5) * NS_PER_US);
}
