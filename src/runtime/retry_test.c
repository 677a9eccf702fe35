/* The policy of retries, without time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "runtime/retry.h"

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
        assert_false(chainsi_retry_decide(&none, hopeless[i], false, 10, CHAINSI_NEVER, 7).again);
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
        while (chainsi_retry_decide(&counted, CHAINS_UNAVAILABLE, false, allowed, CHAINSI_NEVER, 1)
                   .again)
            granted++;
        assert_int_equal(granted, allowed);
    }
}

static void what_was_not_started_is_resent_free_of_charge(void **state)
{
    (void)state;
    chainsi_retry_state counted = { 0 };
    chainsi_retry_decision first =
        chainsi_retry_decide(&counted, CHAINS_UNAVAILABLE, true, 0, CHAINSI_NEVER, UINT64_MAX);
    assert_true(first.again);
    assert_int_equal(first.delay_ns, 0);
    int granted = 1;
    while (chainsi_retry_decide(&counted, CHAINS_UNAVAILABLE, true, 0, CHAINSI_NEVER, 1).again)
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
    assert_false(
        chainsi_retry_decide(&counted, CHAINS_UNAVAILABLE, false, 5, delay, 12345678).again);
    assert_int_equal(counted.retries, 0);
    assert_true(
        chainsi_retry_decide(&counted, CHAINS_UNAVAILABLE, false, 5, delay + 1, 12345678).again);
    assert_int_equal(counted.retries, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_that_cannot_get_better),
        cmocka_unit_test(retries_are_attempts_after_the_first),
        cmocka_unit_test(what_was_not_started_is_resent_free_of_charge),
        cmocka_unit_test(delays_double_up_to_a_limit_with_full_jitter),
        cmocka_unit_test(no_retry_begins_after_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
