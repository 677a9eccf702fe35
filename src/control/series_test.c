/* Points: packed and back, gaps, the oldest that go, and memory that is taken when something happens. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/series.h"

static void check_near(double number, double wanted, double by)
{
    assert_true(fabs(number - wanted) <= by);
}

static const chainsi_point quiet = {
    .ready = 1, .wanted = 1, .p50_ms = NAN, .p99_ms = NAN, .queue_p99_ms = NAN
};

static chainsi_point make_busy(double calls)
{
    return (chainsi_point){ 3, 700, 1, 2, calls, 0.001, 0.05, 119999, NAN, 1 };
}

static void a_point_comes_back(void **state)
{
    (void)state;
    chainsi_series series = { 0 };
    const chainsi_point busy = make_busy(12345);
    assert_true(isnan(chainsi_series_at(&series, 100).ready));
    chainsi_series_add(&series, 100, &busy);
    const chainsi_point back = chainsi_series_at(&series, 100);
    check_near(back.in_flight, 3, 0);
    check_near(back.waiting, 700, 0);
    check_near(back.wanted, 2, 0);
    check_near(back.cold_starts, 1, 0);
    check_near(back.calls_per_s, 12345, 12345 * 0.0005);
    check_near(back.errors_per_s, 0.001, 0.000001);
    check_near(back.p50_ms, 0.05, 0.00005);
    check_near(back.p99_ms, 119999, 119999 * 0.0005);
    assert_true(isnan(back.queue_p99_ms));
    assert_true(isnan(chainsi_series_at(&series, 99).ready));
    chainsi_series_done(&series);
}

static void a_gap_is_quiet(void **state)
{
    (void)state;
    chainsi_series series = { 0 };
    const chainsi_point busy = make_busy(7);
    chainsi_series_add(&series, 1000, &busy);
    chainsi_series_add(&series, 1010, &busy);
    for (int64_t slot = 1001; slot < 1010; slot++) {
        const chainsi_point between = chainsi_series_at(&series, slot);
        check_near(between.calls_per_s, 0, 0);
        check_near(between.ready, 1, 0);
        check_near(between.wanted, 2, 0);
        assert_true(isnan(between.p50_ms));
    }
    /* Likewise what comes behind the last. */
    check_near(chainsi_series_at(&series, 1500).wanted, 2, 0);
    check_near(chainsi_series_at(&series, 1010).calls_per_s, 7, 0.01);
    /* The clock was set back. */
    chainsi_series_add(&series, 900, &quiet);
    check_near(chainsi_series_at(&series, 1010).calls_per_s, 7, 0.01);
    /* The same slot again. */
    chainsi_series_add(&series, 1010, &quiet);
    check_near(chainsi_series_at(&series, 1010).calls_per_s, 0, 0);
    chainsi_series_done(&series);
}

static void the_oldest_go(void **state)
{
    (void)state;
    chainsi_series series = { 0 };
    for (int64_t slot = 1; slot <= 2000; slot++) {
        const chainsi_point busy = make_busy((double)slot);
        chainsi_series_add(&series, slot, &busy);
    }
    assert_true(isnan(chainsi_series_at(&series, 2000 - CHAINSI_SERIES_POINTS).calls_per_s));
    for (int64_t slot = 2000 - CHAINSI_SERIES_POINTS + 1; slot <= 2000; slot++)
        check_near(chainsi_series_at(&series, slot).calls_per_s, (double)slot, 1);
    chainsi_series_done(&series);
}

static void what_rests_takes_no_memory(void **state)
{
    (void)state;
    chainsi_series series = { 0 };
    for (int64_t slot = 1; slot <= 100; slot++)
        chainsi_series_add(&series, slot, &quiet);
    assert_null(series.points);
    check_near(chainsi_series_at(&series, 50).ready, 1, 0);
    const chainsi_point busy = make_busy(7);
    chainsi_series_add(&series, 101, &busy);
    assert_non_null(series.points);
    check_near(chainsi_series_at(&series, 50).ready, 1, 0);
    check_near(chainsi_series_at(&series, 50).wanted, 1, 0);
    check_near(chainsi_series_at(&series, 101).wanted, 2, 0);
    chainsi_point after = quiet;
    after.wanted = 2;
    for (int64_t slot = 102; slot < 101 + CHAINSI_SERIES_POINTS; slot++)
        chainsi_series_add(&series, slot, &after);
    assert_non_null(series.points);
    chainsi_series_add(&series, 101 + CHAINSI_SERIES_POINTS, &after);
    assert_null(series.points);
    assert_true(isnan(chainsi_series_at(&series, 101).wanted));
    check_near(chainsi_series_at(&series, 102).wanted, 2, 0);
    chainsi_series_done(&series);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_point_comes_back),
        cmocka_unit_test(a_gap_is_quiet),
        cmocka_unit_test(the_oldest_go),
        cmocka_unit_test(what_rests_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
