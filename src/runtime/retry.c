#include "runtime/retry.h"

#include "base/clock.h"

bool chainsi_retry_helps(chains_status status)
{
    switch (status) {
    case CHAINS_OK:
    case CHAINS_INVALID_ARGUMENT:
    case CHAINS_NOT_FOUND:
    case CHAINS_ALREADY_EXISTS:
    case CHAINS_UNAUTHENTICATED:
    case CHAINS_PERMISSION_DENIED:
    case CHAINS_UNIMPLEMENTED:
    case CHAINS_FAILED_PRECONDITION:
    case CHAINS_OUT_OF_RANGE:
    case CHAINS_CANCELLED:
        return false;
    case CHAINS_UNKNOWN:
    case CHAINS_DEADLINE_EXCEEDED:
    case CHAINS_RESOURCE_EXHAUSTED:
    case CHAINS_ABORTED:
    case CHAINS_INTERNAL:
    case CHAINS_UNAVAILABLE:
    case CHAINS_DATA_LOSS:
        return true;
    }
    return false;
}

int64_t chainsi_retry_delay_ns(int retry, uint64_t random)
{
    int64_t longest = CHAINSI_RETRY_FIRST_MS;
    while (retry-- > 0 && longest < CHAINSI_RETRY_LONGEST_MS)
        longest *= 2;
    if (longest > CHAINSI_RETRY_LONGEST_MS)
        longest = CHAINSI_RETRY_LONGEST_MS;
    return (int64_t)(random % (uint64_t)(longest * CHAINSI_NS_PER_MS + 1));
}

chainsi_retry_decision chainsi_retry_decide(chainsi_retry_state *state, chains_status status,
                                            bool not_started, int allowed, int64_t left_ns,
                                            uint64_t random)
{
    chainsi_retry_decision decision = { .again = false };
    if (not_started && state->resends < CHAINSI_RESENDS) {
        /* The first at once: the usual cause is a kept-alive connection whose other end is gone. */
        decision.delay_ns =
            state->resends == 0 ? 0 : chainsi_retry_delay_ns(state->resends - 1, random);
        decision.again = decision.delay_ns < left_ns;
        if (decision.again)
            state->resends++;
    } else if (chainsi_retry_helps(status) && state->retries < allowed) {
        decision.delay_ns = chainsi_retry_delay_ns(state->retries, random);
        decision.again = decision.delay_ns < left_ns;
        if (decision.again)
            state->retries++;
    }
    return decision;
}
