/* The policy of retries, without time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "runtime/retry.h"

/* With a budget that is never short. */
static chainsi_retry_decision decide(chainsi_retry_state *state, chains_status status,
                                     bool not_started, int allowed, int64_t left_ns,
                                     uint64_t random)
{
    chainsi_retry_budget budget = { .balance = CHAINSI_BUDGET_MOST };
    chainsi_retry_failure failure = {
        .status = status, .not_started = not_started, .allowed = allowed, .left_ns = left_ns
    };
    return chainsi_retry_decide(state, &budget, &failure, random);
}

static void statuses_that_cannot_get_better(void **state)
{
    (void)state;
    static const chains_status hopeless[] = {
        CHAINS_INVALID_ARGUMENT,  CHAINS_NOT_FOUND,           CHAINS_UNAUTHENTICATED,
        CHAINS_PERMISSION_DENIED, CHAINS_UNIMPLEMENTED,       CHAINS_OUT_OF_RANGE,
        CHAINS_CANCELLED,         CHAINS_FAILED_PRECONDITION,
    };
    for (size_t i = 0; i < sizeof hopeless / sizeof *hopeless; i++) {
        assert_false(chainsi_retry_helps(hopeless[i]));
        chainsi_retry_state none = { 0 };
        assert_false(decide(&none, hopeless[i], false, 10, CHAINSI_NEVER, 7).again);
    }
    assert_true(chainsi_retry_helps(CHAINS_UNAVAILABLE));
    assert_true(chainsi_retry_helps(CHAINS_DEADLINE_EXCEEDED));
    assert_true(chainsi_retry_helps(CHAINS_RESOURCE_EXHAUSTED));
    assert_true(chainsi_retry_helps(CHAINS_INTERNAL));
}

static void retries_are_attempts_after_the_first(void **state)
{
    (void)state;
    for (int allowed = 0; allowed < 4; allowed++) {
        chainsi_retry_state counted = { 0 };
        int granted = 0;
        while (decide(&counted, CHAINS_UNAVAILABLE, false, allowed, CHAINSI_NEVER, 1).again)
            granted++;
        assert_int_equal(granted, allowed);
    }
}

static void what_was_not_started_is_resent_free_of_charge(void **state)
{
    (void)state;
    chainsi_retry_state counted = { 0 };
    chainsi_retry_decision first =
        decide(&counted, CHAINS_UNAVAILABLE, true, 0, CHAINSI_NEVER, UINT64_MAX);
    assert_true(first.again);
    assert_int_equal(first.delay_ns, 0);
    int granted = 1;
    while (decide(&counted, CHAINS_UNAVAILABLE, true, 0, CHAINSI_NEVER, 1).again)
        granted++;
    assert_int_equal(granted, CHAINSI_RESENDS);
    assert_int_equal(counted.retries, 0);
}

static void delays_double_up_to_a_limit_with_full_jitter(void **state)
{
    (void)state;
    int64_t first = CHAINSI_RETRY_FIRST_MS * CHAINSI_NS_PER_MS;
    int64_t longest = CHAINSI_RETRY_LONGEST_MS * CHAINSI_NS_PER_MS;
    for (int retry = 0; retry < 70; retry++) {
        int64_t most = retry < 7 ? first << retry : INT64_MAX;
        if (most > longest)
            most = longest;
        assert_int_equal(chainsi_retry_delay_ns(retry, 0), 0);
        assert_int_equal(chainsi_retry_delay_ns(retry, (uint64_t)most), most);
        assert_int_equal(chainsi_retry_delay_ns(retry, (uint64_t)most + 1), 0);
        for (uint64_t random = 1; random; random <<= 1) {
            int64_t delay = chainsi_retry_delay_ns(retry, random);
            assert_true(delay >= 0 && delay <= most);
        }
    }
}

static void no_retry_begins_after_the_deadline(void **state)
{
    (void)state;
    int64_t delay = chainsi_retry_delay_ns(0, 12345678);
    assert_true(delay > 0);
    chainsi_retry_state counted = { 0 };
    assert_false(decide(&counted, CHAINS_UNAVAILABLE, false, 5, delay, 12345678).again);
    assert_int_equal(counted.retries, 0);
    assert_true(decide(&counted, CHAINS_UNAVAILABLE, false, 5, delay + 1, 12345678).again);
    assert_int_equal(counted.retries, 1);
}

static uint64_t seed = 88172645463325252;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static void all_retries_are_a_tenth_of_the_calls_and_the_start(void **state)
{
    (void)state;
    for (int run = 0; run < 300; run++) {
        chainsi_retry_budget budget;
        chainsi_retry_budget_init(&budget);
        int64_t calls = 0, paid = 0, free = 0;
        /* How often attempts fail, and how many retries a call permits, differ from run to run, and
         * in a run there are times in which all goes well. */
        unsigned failing = (unsigned)(next_random() % 101), allowed = (unsigned)(next_random() % 6);
        for (int i = 0; i < 3000; i++) {
            bool quiet = i / 500 % 2;
            chainsi_retry_state counted = { 0 };
            chainsi_retry_budget_deposit(&budget);
            calls++;
            while (!quiet && next_random() % 100 < failing) {
                chainsi_retry_failure failure = {
                    .status = CHAINS_UNAVAILABLE,
                    .not_started = next_random() % 2,
                    .allowed = (int)allowed,
                    .left_ns = CHAINSI_NEVER,
                };
                bool first_resend = failure.not_started && !counted.resends;
                if (!chainsi_retry_decide(&counted, &budget, &failure, next_random()).again)
                    break;
                if (first_resend)
                    free++;
                else
                    paid++;
            }
            assert_true(paid * CHAINSI_BUDGET_ATTEMPT <=
                        calls * CHAINSI_BUDGET_DEPOSIT + CHAINSI_BUDGET_START);
            assert_true(free <= calls);
            assert_in_range(budget.balance, 0, CHAINSI_BUDGET_MOST);
        }
        if (failing == 100 && allowed)
            assert_true(paid > CHAINSI_BUDGET_START / CHAINSI_BUDGET_ATTEMPT);
    }
}

static void what_is_not_granted_is_not_paid_for(void **state)
{
    (void)state;
    chainsi_retry_budget budget;
    chainsi_retry_budget_init(&budget);
    chainsi_retry_state counted = { 0 };
    chainsi_retry_failure late = {
        .status = CHAINS_UNAVAILABLE, .allowed = 3, .left_ns = 5, .retry_after_ns = 5
    };
    assert_false(chainsi_retry_decide(&counted, &budget, &late, 0).again);
    chainsi_retry_failure hopeless = { .status = CHAINS_NOT_FOUND,
                                       .allowed = 3,
                                       .left_ns = CHAINSI_NEVER };
    assert_false(chainsi_retry_decide(&counted, &budget, &hopeless, 0).again);
    assert_int_equal(budget.balance, CHAINSI_BUDGET_START);
    budget.balance = CHAINSI_BUDGET_ATTEMPT - 1;
    chainsi_retry_failure retry = { .status = CHAINS_UNAVAILABLE,
                                    .allowed = 3,
                                    .left_ns = CHAINSI_NEVER };
    assert_false(chainsi_retry_decide(&counted, &budget, &retry, 0).again);
    assert_int_equal(budget.balance, CHAINSI_BUDGET_ATTEMPT - 1);
    budget.balance++;
    assert_true(chainsi_retry_decide(&counted, &budget, &retry, 0).again);
    assert_int_equal(budget.balance, 0);
    assert_int_equal(counted.retries, 1);
    /* The first resend is free even now, the second isn't. */
    retry.not_started = true;
    assert_true(chainsi_retry_decide(&counted, &budget, &retry, 0).again);
    assert_false(chainsi_retry_decide(&counted, &budget, &retry, 0).again);
}

static void a_pause_that_was_asked_for_is_kept(void **state)
{
    (void)state;
    const int64_t second = 1000 * CHAINSI_NS_PER_MS;
    for (int not_started = 0; not_started < 2; not_started++) {
        for (int i = 0; i < 100; i++) {
            chainsi_retry_budget budget = { .balance = CHAINSI_BUDGET_MOST };
            chainsi_retry_state counted = { 0 };
            chainsi_retry_failure failure = {
                .status = CHAINS_RESOURCE_EXHAUSTED,
                .not_started = not_started,
                .allowed = 10,
                .retry_after_ns = second,
                .left_ns = 2 * second,
            };
            chainsi_retry_decision decision =
                chainsi_retry_decide(&counted, &budget, &failure, next_random());
            assert_true(decision.again);
            assert_true(decision.delay_ns >= second && decision.delay_ns < 2 * second);
            failure.left_ns = second;
            assert_false(chainsi_retry_decide(&counted, &budget, &failure, next_random()).again);
            failure.left_ns = CHAINSI_NEVER;
            failure.retry_after_ns = CHAINSI_RETRY_AFTER_LONGEST_S * second;
            assert_true(chainsi_retry_decide(&counted, &budget, &failure, next_random()).again);
            failure.retry_after_ns++;
            assert_false(chainsi_retry_decide(&counted, &budget, &failure, next_random()).again);
        }
    }
}

static int64_t read_after(const char *text)
{
    return chainsi_retry_after_ns(text, strlen(text), 784111777); /* Sun, 06 Nov 1994 08:49:37 */
}

static void retry_after_is_seconds_or_a_date(void **state)
{
    (void)state;
    const int64_t second = 1000 * CHAINSI_NS_PER_MS, day = 86400 * second;
    assert_true(read_after("1") == second);
    assert_true(read_after("120") == 120 * second);
    assert_true(read_after("86400") == day);
    assert_true(read_after("86401") == day);
    assert_true(read_after("99999999999999999999999999") == day);
    assert_true(read_after("Sun, 06 Nov 1994 08:49:38 GMT") == second);
    assert_true(read_after("Mon, 07 Nov 1994 08:49:37 GMT") == day);
    assert_true(read_after("Sun, 06 Nov 2044 08:49:37 GMT") == day);
    static const char *const nothing[] = {
        "",
        "0",
        "-1",
        "1.5",
        "1 s",
        "soon",
        " 1",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:38",
        "Sun, 06 Nov 1994 08:49:38 GMT and then some more text than any header of this kind has",
    };
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        assert_true(read_after(nothing[i]) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_that_cannot_get_better),
        cmocka_unit_test(retries_are_attempts_after_the_first),
        cmocka_unit_test(what_was_not_started_is_resent_free_of_charge),
        cmocka_unit_test(delays_double_up_to_a_limit_with_full_jitter),
        cmocka_unit_test(no_retry_begins_after_the_deadline),
        cmocka_unit_test(all_retries_are_a_tenth_of_the_calls_and_the_start),
        cmocka_unit_test(what_is_not_granted_is_not_paid_for),
        cmocka_unit_test(a_pause_that_was_asked_for_is_kept),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
