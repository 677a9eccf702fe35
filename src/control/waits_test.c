/* Means and percentiles of counted times. */
#include "control/waits.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void percentiles_are_right_to_a_twentieth(void **state)
{
    (void)state;
    static chainsi_waits waits, halves[2];
    for (int i = 1; i <= 10000; i++) {
        chainsi_waits_add(&waits, i * 0.01, 3);
        chainsi_waits_add(&halves[i % 2], i * 0.01, 3);
    }
    assert_int_equal(waits.count, 30000);
    assert_true(fabs(chainsi_waits_mean(&waits) - 50.005) < 1e-6);
    for (int percent = 1; percent < 100; percent++) {
        double found = chainsi_waits_quantile(&waits, percent / 100.0);
        assert_true(found >= percent - 1e-6 && found <= percent * 1.0501);
    }
    assert_true(chainsi_waits_quantile(&waits, 1) == 100);
    chainsi_waits_merge(&halves[0], &halves[1]);
    assert_true(fabs(halves[0].sum_s - waits.sum_s) < 1e-6);
    assert_true(chainsi_waits_quantile(&halves[0], 0.9) == chainsi_waits_quantile(&waits, 0.9));
}

static void none_and_very_long_ones(void **state)
{
    (void)state;
    chainsi_waits waits = { 0 };
    assert_true(chainsi_waits_mean(&waits) == 0 && chainsi_waits_quantile(&waits, 0.99) == 0);
    chainsi_waits_add(&waits, 5, 0);
    assert_int_equal(waits.count, 0);
    chainsi_waits_add(&waits, 0, 98);
    chainsi_waits_add(&waits, 1e12, 2);
    assert_true(chainsi_waits_quantile(&waits, 0.98) == 0);
    assert_true(chainsi_waits_quantile(&waits, 0.99) > 3e6);
    assert_true(waits.max_s == 1e12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_right_to_a_twentieth),
        cmocka_unit_test(none_and_very_long_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
