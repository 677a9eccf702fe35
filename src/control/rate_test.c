/* Rates and buckets, by a clock of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/rate.h"

#define SECOND INT64_C(1000000000)

static void reads_rates(void **state)
{
    (void)state;
    const struct {
        const char *text;
        double per_s; /* 0: it is refused */
    } cases[] = {
        { "10/s", 10 },    { "0.5/s", 0.5 },   { "1000000/s", 1e6 },
        { ".25/s", 0.25 }, { "1000001/s", 0 }, { "0/s", 0 },
        { "-1/s", 0 },     { "10", 0 },        { "10/m", 0 },
        { "10/s ", 0 },    { " 10/s", 0 },     { "/s", 0 },
        { "./s", 0 },      { "1.2.3/s", 0 },   { "1e3/s", 0 },
        { "nan/s", 0 },    { "inf/s", 0 },     { "0x10/s", 0 },
        { "", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double per_s = 0;
        if (chainsi_rate_parse(cases[i].text, &per_s) != (cases[i].per_s > 0) ||
            per_s != cases[i].per_s)
            fail_msg("'%s'", cases[i].text);
    }
}

static void takes_a_second_at_once_and_then_one_by_one(void **state)
{
    (void)state;
    chainsi_bucket bucket = { 0 };
    int64_t now = 5 * SECOND, wait = 0;
    for (int i = 0; i < 10; i++)
        assert_true(chainsi_bucket_take(&bucket, 10, now, &wait));
    assert_false(chainsi_bucket_take(&bucket, 10, now, &wait));
    assert_int_equal(wait, SECOND / 10);
    assert_false(chainsi_bucket_take(&bucket, 10, now + SECOND / 10 - 10, &wait));
    assert_int_equal(wait, 10);
    assert_true(chainsi_bucket_take(&bucket, 10, now + SECOND / 10, &wait));
    assert_false(chainsi_bucket_take(&bucket, 10, now + SECOND / 10, &wait));
    /* A long rest fills it, and no more. */
    now += 1000 * SECOND;
    for (int i = 0; i < 10; i++)
        assert_true(chainsi_bucket_take(&bucket, 10, now, &wait));
    assert_false(chainsi_bucket_take(&bucket, 10, now, &wait));
}

static void keeps_slow_rates(void **state)
{
    (void)state;
    chainsi_bucket bucket = { 0 };
    int64_t wait = 0;
    assert_true(chainsi_bucket_take(&bucket, 0.5, SECOND, &wait));
    assert_false(chainsi_bucket_take(&bucket, 0.5, SECOND, &wait));
    assert_int_equal(wait, 2 * SECOND);
    assert_false(chainsi_bucket_take(&bucket, 0.5, 2 * SECOND, &wait));
    assert_int_equal(wait, SECOND);
    assert_true(chainsi_bucket_take(&bucket, 0.5, 3 * SECOND, &wait));
}

/* As many as the rate, whatever the times of asking. */
static void lets_through_what_the_rate_says(void **state)
{
    (void)state;
    const double rates[] = { 0.3, 1, 3, 7.7, 1000 };
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        chainsi_bucket bucket = { 0 };
        int64_t wait = 0, taken = 0, end = 100 * SECOND;
        uint64_t random = 1;
        for (int64_t now = 0; now < end;) {
            taken += chainsi_bucket_take(&bucket, rates[i], now, &wait);
            random = random * 6364136223846793005u + 1442695040888963407u;
            now += (int64_t)((double)(random >> 40) / (1 << 24) * 0.5e9 / rates[i]) + 1;
        }
        double most = rates[i] * 100 + (rates[i] > 1 ? rates[i] : 1);
        assert_true((double)taken <= most + 1);
        /* A bucket of one token is full for as long as nobody asks, and that time is lost. */
        assert_true((double)taken >= (rates[i] > 1 ? most - 2 : 0.8 * most));
    }
}

static void outlives_clocks_and_no_limit(void **state)
{
    (void)state;
    chainsi_bucket bucket = { 0 };
    int64_t wait = 0;
    assert_true(chainsi_bucket_take(&bucket, 1, 100 * SECOND, &wait));
    assert_false(chainsi_bucket_take(&bucket, 1, 50 * SECOND, &wait));
    assert_true(chainsi_bucket_take(&bucket, 1, 101 * SECOND, &wait));
    for (int i = 0; i < 1000; i++)
        assert_true(chainsi_bucket_take(&bucket, 0, 0, &wait));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_rates),
        cmocka_unit_test(takes_a_second_at_once_and_then_one_by_one),
        cmocka_unit_test(keeps_slow_rates),
        cmocka_unit_test(lets_through_what_the_rate_says),
        cmocka_unit_test(outlives_clocks_and_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
