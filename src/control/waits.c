/* Waiting times in buckets whose bounds grow by a twentieth each. */
#include "control/waits.h"

#include <math.h>

static const double least_s = 1e-3, growth = 1.05;

static int bucket_of(double wait_s)
{
    if (!(wait_s > least_s))
        return 0;
    double at = ceil(log(wait_s / least_s) / log(growth) - 1e-9);
    return at < CHAINSI_WAITS_BUCKETS - 1 ? (int)at : CHAINSI_WAITS_BUCKETS - 1;
}

void chainsi_waits_add(chainsi_waits *waits, double wait_s, int64_t count)
{
    if (count <= 0)
        return;
    waits->count += count;
    waits->sum_s += wait_s * (double)count;
    waits->max_s = fmax(waits->max_s, wait_s);
    waits->buckets[bucket_of(wait_s)] += count;
}

void chainsi_waits_merge(chainsi_waits *waits, const chainsi_waits *other)
{
    waits->count += other->count;
    waits->sum_s += other->sum_s;
    waits->max_s = fmax(waits->max_s, other->max_s);
    for (int i = 0; i < CHAINSI_WAITS_BUCKETS; i++)
        waits->buckets[i] += other->buckets[i];
}

double chainsi_waits_mean(const chainsi_waits *waits)
{
    return waits->count ? waits->sum_s / (double)waits->count : 0;
}

double chainsi_waits_quantile(const chainsi_waits *waits, double share)
{
    double rank = ceil(share * (double)waits->count);
    int64_t seen = 0;
    for (int i = 0; i < CHAINSI_WAITS_BUCKETS; i++) {
        seen += waits->buckets[i];
        if (waits->buckets[i] && (double)seen >= rank)
            return i ? fmin(least_s * pow(growth, i), waits->max_s) : 0;
    }
    return waits->max_s;
}
