/* Whether a new version that has a share of the calls is as good as the one it is to replace: a pure
 * function of what was counted of both.
 *
 * It is rolled back as soon as it is certainly worse: when its share of failed calls is above the old
 * one's by more than the margin, and by more than chance explains (a one-sided test of two proportions
 * with pooled variance at CHAINSI_CANARY_Z), or when its p99 is above the old one's by more than the
 * given ratio in CHAINSI_CANARY_SLOW_LOOKS looks one after the other. It is promoted when its time is
 * over without that. With few calls chance explains much, so that nothing is said for or against it:
 * who has few calls gives it more time. */
#ifndef CHAINSI_CONTROL_CANARY_H
#define CHAINSI_CONTROL_CANARY_H

#include <stddef.h>

#include "control/latency.h"

#define CHAINSI_CANARY_Z 2.326 /* 99 % */

enum {
    CHAINSI_CANARY_CALLS = 10,     /* of the new version, before its failures are judged */
    CHAINSI_CANARY_TIMED = 200,    /* of either version, before p99 is judged */
    CHAINSI_CANARY_SLOW_LOOKS = 3, /* in a row */
};

/* What was counted of a version since the canary began. Failures that say something about the caller
 * (bad arguments, no right, a full queue of its own making) are not counted as failed. */
typedef struct chainsi_canary_side {
    uint64_t calls, failed;
    chainsi_latency latency; /* of those that succeeded */
} chainsi_canary_side;

typedef struct chainsi_canary_options {
    double max_error_rate_increase; /* 0.01: one more call of a hundred may fail */
    double max_p99_ratio;           /* 1.5 */
    int64_t duration_ns;
} chainsi_canary_options;

typedef enum chainsi_canary_verdict {
    CHAINSI_CANARY_GOES_ON,
    CHAINSI_CANARY_PROMOTE,
    CHAINSI_CANARY_ROLL_BACK,
} chainsi_canary_verdict;

/* What is kept between two looks. All zero at first. */
typedef struct chainsi_canary_state {
    unsigned slow_looks; /* in a row */
} chainsi_canary_state;

/* Looks, elapsed_ns after the canary began; why gets a sentence with the numbers. Call it every few
 * seconds. */
chainsi_canary_verdict chainsi_canary_look(chainsi_canary_state *state,
                                           const chainsi_canary_options *options,
                                           const chainsi_canary_side *old_one,
                                           const chainsi_canary_side *new_one, int64_t elapsed_ns,
                                           char *why, size_t why_size);

#endif
