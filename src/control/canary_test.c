#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/canary.h"

enum { NS_PER_MS = 1000000 };

static const chainsi_canary_options options = { 0.01, 1.5, INT64_C(600000000000) };

static chainsi_canary_side make_side(uint64_t calls, uint64_t failed, int64_t ms)
{
    chainsi_canary_side side = { .calls = calls, .failed = failed };
    for (uint64_t i = failed; i < calls; i++)
        chainsi_latency_add(&side.latency, ms * NS_PER_MS);
    return side;
}

static chainsi_canary_verdict look(chainsi_canary_side old_one, chainsi_canary_side new_one,
                                   int64_t elapsed_ns)
{
    chainsi_canary_state state = { 0 };
    char why[256] = "";
    chainsi_canary_verdict verdict =
        chainsi_canary_look(&state, &options, &old_one, &new_one, elapsed_ns, why, sizeof why);
    assert_true(why[0]);
    return verdict;
}

static void a_good_one_is_promoted_when_its_time_is_over(void **state)
{
    (void)state;
    chainsi_canary_side old_one = make_side(9000, 9, 10), new_one = make_side(1000, 1, 11);
    assert_int_equal(look(old_one, new_one, options.duration_ns - 1), CHAINSI_CANARY_GOES_ON);
    assert_int_equal(look(old_one, new_one, options.duration_ns), CHAINSI_CANARY_PROMOTE);
    assert_int_equal(look(make_side(0, 0, 0), make_side(0, 0, 0), options.duration_ns),
                     CHAINSI_CANARY_PROMOTE);
}

static void one_that_always_fails_is_rolled_back_soon(void **state)
{
    (void)state;
    chainsi_canary_side old_one = make_side(90, 0, 10);
    assert_int_equal(look(old_one, make_side(9, 9, 10), 0), CHAINSI_CANARY_GOES_ON);
    assert_int_equal(look(old_one, make_side(10, 10, 10), 0), CHAINSI_CANARY_ROLL_BACK);
    assert_int_equal(look(make_side(0, 0, 0), make_side(20, 20, 10), 0), CHAINSI_CANARY_ROLL_BACK);
    /* Both fail: it is no worse. */
    assert_int_equal(look(make_side(90, 90, 10), make_side(10, 10, 10), 0), CHAINSI_CANARY_GOES_ON);
}

static void a_few_failures_may_be_chance(void **state)
{
    (void)state;
    assert_int_equal(look(make_side(900, 9, 10), make_side(100, 3, 10), 0), CHAINSI_CANARY_GOES_ON);
    /* The same share of many more calls isn't. */
    assert_int_equal(look(make_side(90000, 900, 10), make_side(10000, 300, 10), 0),
                     CHAINSI_CANARY_ROLL_BACK);
    /* Within the margin it is allowed, however certain. */
    assert_int_equal(look(make_side(900000, 9000, 10), make_side(100000, 1990, 10), 0),
                     CHAINSI_CANARY_GOES_ON);
}

/* Equal versions are rolled back rarely, however often they are looked at. */
static void chance_alone_rolls_back_rarely(void **state)
{
    (void)state;
    int rolled_back = 0;
    for (unsigned seed = 1; seed <= 200; seed++) {
        srand(seed);
        chainsi_canary_side old_one = { 0 }, new_one = { 0 };
        bool back = false;
        for (int i = 0; i < 5000 && !back; i++) {
            chainsi_canary_side *side = rand() % 10 ? &old_one : &new_one;
            side->calls++;
            side->failed += rand() % 100 < 2;
            if (i % 50 == 0)
                back = look(old_one, new_one, 0) == CHAINSI_CANARY_ROLL_BACK;
        }
        rolled_back += back;
    }
    assert_in_range(rolled_back, 0, 10);
}

static void a_slow_one_is_rolled_back_if_it_stays_slow(void **state)
{
    (void)state;
    chainsi_canary_side old_one = make_side(1000, 0, 10), slow = make_side(1000, 0, 20),
                        fast = make_side(1000, 0, 12), few = make_side(199, 0, 20);
    chainsi_canary_state kept = { 0 };
    char why[256];
    for (int i = 1; i < CHAINSI_CANARY_SLOW_LOOKS; i++)
        assert_int_equal(chainsi_canary_look(&kept, &options, &old_one, &slow, 0, why, sizeof why),
                         CHAINSI_CANARY_GOES_ON);
    assert_int_equal(chainsi_canary_look(&kept, &options, &old_one, &fast, 0, why, sizeof why),
                     CHAINSI_CANARY_GOES_ON);
    for (int i = 1; i < CHAINSI_CANARY_SLOW_LOOKS; i++)
        assert_int_equal(chainsi_canary_look(&kept, &options, &old_one, &slow, options.duration_ns,
                                             why, sizeof why),
                         CHAINSI_CANARY_GOES_ON);
    assert_int_equal(chainsi_canary_look(&kept, &options, &old_one, &slow, 0, why, sizeof why),
                     CHAINSI_CANARY_ROLL_BACK);
    assert_non_null(strstr(why, "p99"));
    assert_int_equal(look(old_one, few, 0), CHAINSI_CANARY_GOES_ON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_one_is_promoted_when_its_time_is_over),
        cmocka_unit_test(one_that_always_fails_is_rolled_back_soon),
        cmocka_unit_test(a_few_failures_may_be_chance),
        cmocka_unit_test(chance_alone_rolls_back_rarely),
        cmocka_unit_test(a_slow_one_is_rolled_back_if_it_stays_slow),
    };
    return cmocka_run_group_tests_name("canary", tests, NULL, NULL);
}
