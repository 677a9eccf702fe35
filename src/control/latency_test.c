#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/latency.h"

static void expect_near(int64_t got, int64_t wanted)
{
    if (got < wanted - wanted / 20 - 1 || got > wanted + wanted / 20 + 1)
        fail_msg("%lld is more than 5 %% from %lld", (long long)got, (long long)wanted);
}

static void quantiles_are_within_five_percent(void **state)
{
    (void)state;
    for (int64_t scale = 1000; scale <= INT64_C(100000000); scale *= 10) {
        chainsi_latency latency = { 0 };
        for (int64_t i = 1; i <= 1000; i++)
            chainsi_latency_add(&latency, i * scale);
        assert_int_equal(latency.count, 1000);
        expect_near(chainsi_latency_quantile(&latency, 0.5), 500 * scale);
        expect_near(chainsi_latency_quantile(&latency, 0.99), 990 * scale);
        expect_near(chainsi_latency_quantile(&latency, 1), 1000 * scale);
    }
}

static void one_of_a_thousand_is_the_last_permille(void **state)
{
    (void)state;
    chainsi_latency latency = { 0 };
    for (int i = 0; i < 999; i++)
        chainsi_latency_add(&latency, 1000000);
    chainsi_latency_add(&latency, INT64_C(1000000000));
    expect_near(chainsi_latency_quantile(&latency, 0.999), 1000000);
    expect_near(chainsi_latency_quantile(&latency, 0.9991), INT64_C(1000000000));
}

static void the_ends_hold_everything(void **state)
{
    (void)state;
    chainsi_latency latency = { 0 };
    assert_int_equal(chainsi_latency_quantile(&latency, 0.5), 0);
    chainsi_latency_add(&latency, -5);
    chainsi_latency_add(&latency, 0);
    chainsi_latency_add(&latency, 1000);
    assert_int_equal(latency.buckets[0], 3);
    chainsi_latency_add(&latency, INT64_MAX);
    assert_int_equal(latency.buckets[CHAINSI_LATENCY_BUCKETS - 1], 1);
    assert_true(chainsi_latency_quantile(&latency, 1) > INT64_C(120000000000));
    assert_true(chainsi_latency_quantile(&latency, 0) < 2000);
}

static void merging_adds(void **state)
{
    (void)state;
    chainsi_latency fast = { 0 }, slow = { 0 };
    for (int i = 0; i < 98; i++)
        chainsi_latency_add(&fast, 1000000);
    for (int i = 0; i < 2; i++)
        chainsi_latency_add(&slow, 50000000);
    chainsi_latency_merge(&fast, &slow);
    assert_int_equal(fast.count, 100);
    expect_near(chainsi_latency_quantile(&fast, 0.98), 1000000);
    expect_near(chainsi_latency_quantile(&fast, 0.99), 50000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_within_five_percent),
        cmocka_unit_test(one_of_a_thousand_is_the_last_permille),
        cmocka_unit_test(the_ends_hold_everything),
        cmocka_unit_test(merging_adds),
    };
    return cmocka_run_group_tests_name("latency", tests, NULL, NULL);
}
