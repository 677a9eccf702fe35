/* The restart policy. It reads no clock and keeps no more than CHAINSI_DEATHS_KEPT deaths. */
#include "control/backoff.h"

#include "base/clock.h"

#define SECOND INT64_C(1000000000)

const chainsi_backoff_policy chainsi_backoff_running = {
    .first_delay_ns = 20 * CHAINSI_NS_PER_MS,
    .max_delay_ns = 30 * SECOND,
    .stable_ns = 60 * SECOND,
    .failed_delay_ns = 30 * SECOND,
    .max_deaths = 8,
};

/* Whoever deploys waits for the outcome: a service that cannot start should say so soon. */
const chainsi_backoff_policy chainsi_backoff_deploying = {
    .first_delay_ns = 20 * CHAINSI_NS_PER_MS,
    .max_delay_ns = SECOND,
    .stable_ns = 60 * SECOND,
    .failed_delay_ns = 0,
    .max_deaths = 3,
};

chainsi_backoff_decision chainsi_backoff_note(chainsi_backoff *backoff,
                                              const chainsi_backoff_policy *policy, int64_t now_ns,
                                              int64_t ready_ns, int wait_status)
{
    backoff->deaths[backoff->death_count++ % CHAINSI_DEATHS_KEPT] =
        (chainsi_death){ .at_ns = now_ns, .wait_status = wait_status };
    if (ready_ns >= 0 && now_ns - ready_ns >= policy->stable_ns)
        backoff->in_a_row = 0;
    if (backoff->in_a_row < UINT32_MAX)
        backoff->in_a_row++;
    if (backoff->in_a_row >= policy->max_deaths)
        return (chainsi_backoff_decision){
            .failed = true,
            .delay_ns = policy->failed_delay_ns ? policy->failed_delay_ns : CHAINSI_NEVER,
        };
    int64_t delay_ns = policy->first_delay_ns;
    for (unsigned i = 1; i < backoff->in_a_row && delay_ns < policy->max_delay_ns; i++)
        delay_ns *= 2;
    if (delay_ns > policy->max_delay_ns)
        delay_ns = policy->max_delay_ns;
    return (chainsi_backoff_decision){ .delay_ns = delay_ns };
}

const chainsi_death *chainsi_backoff_last(const chainsi_backoff *backoff)
{
    if (!backoff->death_count)
        return NULL;
    return &backoff->deaths[(backoff->death_count - 1) % CHAINSI_DEATHS_KEPT];
}
