/* The restart policy, with a clock of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "control/backoff.h"

static const chainsi_backoff_policy policy = {
    .first_delay_ns = 10,
    .max_delay_ns = 100,
    .stable_ns = 1000,
    .failed_delay_ns = 5000,
    .max_deaths = 8,
};

static void doubles_up_to_the_limit(void **state)
{
    (void)state;
    chainsi_backoff backoff = { 0 };
    const int64_t expected[] = { 10, 20, 40, 80, 100, 100, 100 };
    int64_t now = 0;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        chainsi_backoff_decision decision = chainsi_backoff_note(&backoff, &policy, ++now, -1, 256);
        assert_false(decision.failed);
        assert_int_equal(decision.delay_ns, expected[i]);
    }
    chainsi_backoff_decision last = chainsi_backoff_note(&backoff, &policy, ++now, -1, 256);
    assert_true(last.failed);
    assert_int_equal(last.delay_ns, 5000);
    /* Tried again and dead again: it stays failed. */
    assert_true(chainsi_backoff_note(&backoff, &policy, ++now, -1, 256).failed);
}

static void forgives_after_a_stable_time(void **state)
{
    (void)state;
    chainsi_backoff backoff = { 0 };
    for (int i = 0; i < 5; i++)
        chainsi_backoff_note(&backoff, &policy, i, -1, 9);
    /* Ready, but one nanosecond too short. */
    assert_int_equal(chainsi_backoff_note(&backoff, &policy, 2099, 1100, 9).delay_ns, 100);
    assert_int_equal(backoff.in_a_row, 6);
    assert_int_equal(chainsi_backoff_note(&backoff, &policy, 4000, 3000, 9).delay_ns, 10);
    assert_int_equal(backoff.in_a_row, 1);
}

static void a_first_start_fails_for_good(void **state)
{
    (void)state;
    chainsi_backoff backoff = { 0 };
    chainsi_backoff_decision decision = { 0 };
    unsigned count = 0;
    do {
        decision = chainsi_backoff_note(&backoff, &chainsi_backoff_deploying, count++, -1, 256);
    } while (!decision.failed);
    assert_int_equal(count, chainsi_backoff_deploying.max_deaths);
    assert_int_equal(decision.delay_ns, CHAINSI_NEVER);
}

static void the_tally_is_bounded(void **state)
{
    (void)state;
    chainsi_backoff backoff = { 0 };
    assert_null(chainsi_backoff_last(&backoff));
    for (int i = 0; i < 1000; i++)
        chainsi_backoff_note(&backoff, &policy, i, -1, i);
    assert_int_equal(backoff.death_count, 1000);
    assert_int_equal(chainsi_backoff_last(&backoff)->at_ns, 999);
    assert_int_equal(chainsi_backoff_last(&backoff)->wait_status, 999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_up_to_the_limit),
        cmocka_unit_test(forgives_after_a_stable_time),
        cmocka_unit_test(a_first_start_fails_for_good),
        cmocka_unit_test(the_tally_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
