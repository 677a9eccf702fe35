/* How often something may be done: a rate as text, and a bucket of tokens that keeps to it. A pure
 * function of what happened and of the time; it reads no clock. */
#ifndef CHAINSI_CONTROL_RATE_H
#define CHAINSI_CONTROL_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define CHAINSI_RATE_MOST 1e6 /* a second */

/* "10/s", "0.5/s". False for any other text, for 0 and less, and beyond CHAINSI_RATE_MOST; *per_s is
 * untouched then. */
bool chainsi_rate_parse(const char *text, double *per_s);

/* A bucket holds what a second brings, at least one token; it is full at first. All zero is such a
 * one. */
typedef struct chainsi_bucket {
    double missing; /* tokens to its being full, at `at_ns` */
    int64_t at_ns;
} chainsi_bucket;

/* Takes a token at now_ns. False if there is none, with how long it is until there will be. per_s 0:
 * there is no limit. A clock that goes back brings nothing. */
bool chainsi_bucket_take(chainsi_bucket *bucket, double per_s, int64_t now_ns, int64_t *wait_ns);

#endif
