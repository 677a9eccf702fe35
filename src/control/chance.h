/* Random numbers for simulations: the same seed gives the same numbers. Not for secrets. */
#ifndef CHAINSI_CONTROL_CHANCE_H
#define CHAINSI_CONTROL_CHANCE_H

#include <stdint.h>

/* Any seed is a good one. */
typedef struct chainsi_chance {
    uint64_t seed;
} chainsi_chance;

/* From 0 to below 1. */
double chainsi_chance_share(chainsi_chance *chance);
/* Of the normal distribution with mean 0 and deviation 1. */
double chainsi_chance_normal(chainsi_chance *chance);
/* How many events happen where `mean` are expected (Poisson); from a mean of 50 on rounded from the
 * normal distribution. 0 for a mean that isn't above 0. */
int64_t chainsi_chance_poisson(chainsi_chance *chance, double mean);
/* How many of `count` happen, each with the probability `share` (binomial); where 50 or more are
 * expected on either side, rounded from the normal distribution. From 0 to count. */
int64_t chainsi_chance_binomial(chainsi_chance *chance, int64_t count, double share);

#endif
