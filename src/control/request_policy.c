#include "control/request_policy.h"

#include "runtime/retry.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

const chainsi_request_policy chainsi_request_policy_default = {
    .first_retry_ms = SECOND,
    .longest_retry_ms = 5 * MINUTE,
    .first_loss_ms = 100,
    .longest_loss_ms = 30 * SECOND,
    .not_started_ms = 100,
    .first_telling_ms = SECOND,
    .longest_telling_ms = HOUR,
    .telling_ms = 24 * HOUR,
};

/* Doubles with every time before, and is spread over the upper half of what it could be, so that what
 * failed together doesn't come back together. */
static int64_t back_off(int64_t first_ms, int64_t longest_ms, int32_t times, uint64_t random)
{
    int64_t delay_ms = first_ms;
    for (int32_t i = 0; i < times && delay_ms < longest_ms; i++)
        delay_ms *= 2;
    if (delay_ms > longest_ms)
        delay_ms = longest_ms;
    return delay_ms - (int64_t)(random % (uint64_t)(delay_ms / 2 + 1));
}

chainsi_request_verdict chainsi_request_decide(const chainsi_request_policy *policy,
                                               const chainsi_attempt *attempt, uint64_t random,
                                               chainsi_request_return *how, int64_t *delay_ms)
{
    int32_t failures = attempt->attempts - attempt->losses; /* this one included */
    switch (attempt->end) {
    case CHAINSI_ATTEMPT_NOT_STARTED:
        *how = CHAINSI_RETURN_NOT_STARTED;
        *delay_ms = back_off(policy->not_started_ms, policy->not_started_ms, 0, random);
        return CHAINSI_REQUEST_AGAIN;
    case CHAINSI_ATTEMPT_LOST:
        if (attempt->losses >= CHAINSI_REQUEST_MOST_LOST)
            return CHAINSI_REQUEST_ENDS;
        *how = CHAINSI_RETURN_LOST;
        *delay_ms =
            back_off(policy->first_loss_ms, policy->longest_loss_ms, attempt->losses, random);
        return CHAINSI_REQUEST_AGAIN;
    case CHAINSI_ATTEMPT_ANSWERED:
        break;
    }
    if (!chainsi_retry_helps(attempt->status) || failures > attempt->retries)
        return CHAINSI_REQUEST_ENDS;
    *how = CHAINSI_RETURN_FAILED;
    *delay_ms = back_off(policy->first_retry_ms, policy->longest_retry_ms, failures - 1, random);
    if (*delay_ms < attempt->retry_after_ms)
        *delay_ms = attempt->retry_after_ms;
    return CHAINSI_REQUEST_AGAIN;
}

int64_t chainsi_webhook_again_ms(const chainsi_request_policy *policy, int64_t ended_ms,
                                 int32_t attempts, int64_t now_ms, uint64_t random)
{
    int64_t again_ms =
        now_ms + back_off(policy->first_telling_ms, policy->longest_telling_ms, attempts, random);
    return again_ms - ended_ms > policy->telling_ms ? -1 : again_ms;
}
