/* Rates from two looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/live.h"

#define OF_GUIDE "chain=\"guide\",environment=\"production\""
#define OF_HAND  OF_GUIDE ",chainlet=\"hand\",replica=\"7\""

static const char before[] = "# TYPE chains_front_calls_total counter\n"
                             "chains_front_calls_total{" OF_GUIDE ",status=\"OK\"} 100\n"
                             "chains_front_calls_total{" OF_GUIDE ",status=\"CANCELLED\"} 1\n"
                             "chains_calls_total{" OF_HAND ",status=\"OK\"} 500\n"
                             "chains_run_seconds_bucket{" OF_HAND ",le=\"0.001\"} 10\n"
                             "chains_run_seconds_bucket{" OF_HAND ",le=\"+Inf\"} 10\n"
                             "something_else 5\n";
static const char after[] =
    "chains_front_calls_total{" OF_GUIDE ",status=\"OK\"} 118\n"
    "chains_front_calls_total{" OF_GUIDE ",status=\"CANCELLED\"} 3\n"
    "chains_front_calls_total{" OF_GUIDE ",status=\"UNAVAILABLE\"} 4\n"
    "chains_front_calls_total{chain=\"guide\",environment=\"other\",status=\"OK\"} 7\n"
    /* It began anew. */
    "chains_calls_total{" OF_HAND ",status=\"OK\"} 6\n"
    "chains_run_seconds_bucket{" OF_HAND ",le=\"0.001\"} 60\n"
    "chains_run_seconds_bucket{" OF_HAND ",le=\"0.002\"} 100\n"
    "chains_run_seconds_bucket{" OF_HAND ",le=\"+Inf\"} 110\n"
    "chains_dependency_calls_total{" OF_HAND ",callee=\"arm\",status=\"OK\"} 4\n";

static void take(const char *text, int64_t at_ns, chainsi_live_look *look)
{
    chainsi_live_look_take(look, text, strlen(text), at_ns);
}

static void what_was_counted_between(void **state)
{
    (void)state;
    chainsi_live_look old, now;
    chainsi_live live;
    take(before, 1000000000, &old);
    take(after, 3000000000, &now);
    chainsi_live_between(&live, &old, &now);
    assert_float_equal(live.seconds, 2, 1e-4);
    chainsi_live_rate rate = chainsi_live_front(&live, "guide", "production");
    assert_float_equal(rate.calls_per_s, (18 + 2 + 4) / 2.0, 1e-4);
    assert_float_equal(rate.failed_per_s, 2, 1e-4);
    assert_float_equal(rate.p50_ms, -1, 1e-4);
    rate = chainsi_live_front(&live, "guide", "other");
    assert_float_equal(rate.calls_per_s, 3.5, 1e-4);
    rate = chainsi_live_chainlet(&live, "guide", "production", "hand");
    assert_float_equal(rate.calls_per_s, 3, 1e-4);
    /* Of 100, 50 were faster than 1 ms, and 50 more up to 2 ms: the looks' difference, but for a bucket that is new. */
    assert_float_equal(rate.p50_ms, 1, 1e-4);
    assert_float_equal(rate.p99_ms, 1.98, 1e-4);
    rate = chainsi_live_calls(&live, "guide", "production", "hand", "arm");
    assert_float_equal(rate.calls_per_s, 2, 1e-4);
    rate = chainsi_live_calls(&live, "guide", "production", "arm", "hand");
    assert_float_equal(rate.calls_per_s, 0, 1e-4);
    chainsi_live_done(&live);
    chainsi_live_look_done(&old);
    chainsi_live_look_done(&now);
}

static void one_look_tells_nothing(void **state)
{
    (void)state;
    chainsi_live_look now;
    chainsi_live live;
    take(after, 3000000000, &now);
    chainsi_live_between(&live, NULL, &now);
    assert_float_equal(live.seconds, 0, 1e-4);
    assert_float_equal(chainsi_live_front(&live, "guide", "production").calls_per_s, 0, 1e-4);
    chainsi_live_done(&live);
    chainsi_live_between(&live, &now, &now);
    assert_float_equal(live.seconds, 0, 1e-4);
    chainsi_live_done(&live);
    chainsi_live_look_done(&now);
    take("", 1, &now);
    assert_int_equal(now.count, 0);
    chainsi_live_look_done(&now);
    chainsi_live_look_done(&now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_counted_between),
        cmocka_unit_test(one_look_tells_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
