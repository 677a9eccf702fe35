#include "control/canary.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

static double share_of(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

/* Whether the new one fails more often than the margin allows, and chance explains. Where the old one
 * had no calls, nothing is known of it but that it is good enough to be kept: it counts as one that
 * never fails. */
static bool fails_more(const chainsi_canary_options *options, const chainsi_canary_side *old_one,
                       const chainsi_canary_side *new_one)
{
    if (new_one->calls < CHAINSI_CANARY_CALLS)
        return false;
    const double excess = share_of(new_one->failed, new_one->calls) -
                          share_of(old_one->failed, old_one->calls) -
                          options->max_error_rate_increase;
    if (excess <= 0)
        return false;
    /* One good and one bad call more on either side, so that all or none failing has a variance, too. */
    const double old_calls = (double)old_one->calls + 2, new_calls = (double)new_one->calls + 2;
    const double pooled =
        ((double)old_one->failed + (double)new_one->failed + 2) / (old_calls + new_calls);
    const double error = sqrt(pooled * (1 - pooled) * (1 / old_calls + 1 / new_calls));
    return excess > CHAINSI_CANARY_Z * error;
}

static bool is_slower(const chainsi_canary_options *options, const chainsi_canary_side *old_one,
                      const chainsi_canary_side *new_one)
{
    if (old_one->latency.count < CHAINSI_CANARY_TIMED ||
        new_one->latency.count < CHAINSI_CANARY_TIMED)
        return false;
    return (double)chainsi_latency_quantile(&new_one->latency, 0.99) >
           options->max_p99_ratio * (double)chainsi_latency_quantile(&old_one->latency, 0.99);
}

static double p99_ms(const chainsi_canary_side *side)
{
    return (double)chainsi_latency_quantile(&side->latency, 0.99) / 1e6;
}

chainsi_canary_verdict chainsi_canary_look(chainsi_canary_state *state,
                                           const chainsi_canary_options *options,
                                           const chainsi_canary_side *old_one,
                                           const chainsi_canary_side *new_one, int64_t elapsed_ns,
                                           char *why, size_t why_size)
{
    if (fails_more(options, old_one, new_one)) {
        snprintf(why, why_size,
                 "%" PRIu64 " of its %" PRIu64 " calls failed (%.1f %%), of the old one's %" PRIu64
                 " %.1f %%; %.1f points more are allowed",
                 new_one->failed, new_one->calls, 100 * share_of(new_one->failed, new_one->calls),
                 old_one->calls, 100 * share_of(old_one->failed, old_one->calls),
                 100 * options->max_error_rate_increase);
        return CHAINSI_CANARY_ROLL_BACK;
    }
    const bool slower = is_slower(options, old_one, new_one);
    state->slow_looks = slower ? state->slow_looks + 1 : 0;
    if (slower) {
        snprintf(why, why_size, "its p99 is %.3g ms, the old one's %.3g ms; %.3g times is allowed",
                 p99_ms(new_one), p99_ms(old_one), options->max_p99_ratio);
        if (state->slow_looks >= CHAINSI_CANARY_SLOW_LOOKS)
            return CHAINSI_CANARY_ROLL_BACK;
        return CHAINSI_CANARY_GOES_ON;
    }
    snprintf(why, why_size,
             "%" PRIu64 " of its %" PRIu64
             " calls failed (%.1f %%; the old one: %.1f %% of %" PRIu64 "), p99 %.3g ms (%.3g ms)",
             new_one->failed, new_one->calls, 100 * share_of(new_one->failed, new_one->calls),
             100 * share_of(old_one->failed, old_one->calls), old_one->calls, p99_ms(new_one),
             p99_ms(old_one));
    return elapsed_ns >= options->duration_ns ? CHAINSI_CANARY_PROMOTE : CHAINSI_CANARY_GOES_ON;
}
