#include "runtime/retry.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

enum { SECONDS_PER_DAY = 24 * 60 * 60 };

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

int64_t chainsi_retry_after_ns(const char *text, size_t size, int64_t unix_now_s)
{
    char copy[64];
    if (!size || size >= sizeof copy)
        return 0;
    memcpy(copy, text, size);
    copy[size] = 0;
    int64_t seconds = 0;
    size_t digits = strspn(copy, "0123456789");
    if (digits == size) {
        for (size_t i = 0; i < size && seconds < SECONDS_PER_DAY; i++)
            seconds = seconds * 10 + (copy[i] - '0');
    } else {
        struct tm date = { 0 };
        const char *end = strptime(copy, "%a, %d %b %Y %H:%M:%S GMT", &date);
        if (!end || *end)
            return 0;
        seconds = (int64_t)timegm(&date) - unix_now_s;
    }
    if (seconds <= 0)
        return 0;
    return (seconds < SECONDS_PER_DAY ? seconds : SECONDS_PER_DAY) * 1000 * CHAINSI_NS_PER_MS;
}

void chainsi_retry_budget_init(chainsi_retry_budget *budget)
{
    atomic_init(&budget->balance, CHAINSI_BUDGET_START);
}

void chainsi_retry_budget_deposit(chainsi_retry_budget *budget)
{
    int balance = atomic_load_explicit(&budget->balance, memory_order_relaxed);
    while (
        balance < CHAINSI_BUDGET_MOST &&
        !atomic_compare_exchange_weak(&budget->balance, &balance, balance + CHAINSI_BUDGET_DEPOSIT))
        ;
}

bool chainsi_retry_budget_withdraw(chainsi_retry_budget *budget)
{
    int balance = atomic_load_explicit(&budget->balance, memory_order_relaxed);
    while (balance >= CHAINSI_BUDGET_ATTEMPT)
        if (atomic_compare_exchange_weak(&budget->balance, &balance,
                                         balance - CHAINSI_BUDGET_ATTEMPT))
            return true;
    return false;
}

chainsi_retry_decision chainsi_retry_decide(chainsi_retry_state *state,
                                            chainsi_retry_budget *budget,
                                            const chainsi_retry_failure *failure, uint64_t random)
{
    static const chainsi_retry_decision stop = { .again = false };
    bool resend = failure->not_started && state->resends < CHAINSI_RESENDS;
    if (!resend && (!chainsi_retry_helps(failure->status) || state->retries >= failure->allowed))
        return stop;
    if (failure->retry_after_ns > CHAINSI_RETRY_AFTER_LONGEST_S * 1000 * CHAINSI_NS_PER_MS)
        return stop;
    bool first_resend = resend && state->resends == 0;
    /* The first at once: the usual cause is a kept-alive connection whose other end is gone. What
     * the callee asks for comes on top, so that not all callers are back at the same moment. */
    int64_t delay_ns = failure->retry_after_ns;
    if (!first_resend)
        delay_ns += chainsi_retry_delay_ns(resend ? state->resends - 1 : state->retries, random);
    if (delay_ns >= failure->left_ns)
        return stop;
    if (!first_resend && !chainsi_retry_budget_withdraw(budget))
        return stop;
    if (resend)
        state->resends++;
    else
        state->retries++;
    return (chainsi_retry_decision){ .again = true, .delay_ns = delay_ns };
}
