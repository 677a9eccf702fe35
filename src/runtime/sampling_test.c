/* Which traces are recorded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/sampling.h"

enum { NOT_OF_THE_SHARE = 1 };
static const int64_t second_ns = 1000000000;

/* How many of `count` traces, spread evenly over a time, are recorded. */
static int choose_evenly(chainsi_sampling *sampling, int64_t from_ns, int64_t for_ns, int count)
{
    int chosen = 0;
    for (int i = 0; i < count; i++)
        chosen += chainsi_sampling_choose(sampling, from_ns + for_ns / count * i, NOT_OF_THE_SHARE);
    return chosen;
}

static void few_are_all_recorded(void **state)
{
    (void)state;
    chainsi_sampling sampling = { 0 };
    assert_int_equal(
        choose_evenly(&sampling, second_ns, 60 * second_ns, 60 * CHAINSI_SAMPLING_RATE - 60),
        60 * CHAINSI_SAMPLING_RATE - 60);
}

static void of_many_as_many_as_the_rate(void **state)
{
    (void)state;
    chainsi_sampling sampling = { 0 };
    int chosen = choose_evenly(&sampling, second_ns, 10 * second_ns, 1000000);
    assert_in_range(chosen, 10 * CHAINSI_SAMPLING_RATE,
                    10 * CHAINSI_SAMPLING_RATE + CHAINSI_SAMPLING_BURST);
}

static void at_once_a_burst_and_a_silence_fills_it_again(void **state)
{
    (void)state;
    chainsi_sampling sampling = { 0 };
    for (int64_t at = second_ns; at < 20 * second_ns; at += 5 * second_ns) {
        for (int i = 0; i < CHAINSI_SAMPLING_BURST; i++)
            assert_true(chainsi_sampling_choose(&sampling, at, NOT_OF_THE_SHARE));
        assert_false(chainsi_sampling_choose(&sampling, at, NOT_OF_THE_SHARE));
    }
}

static void of_what_is_more_the_share_by_its_id(void **state)
{
    (void)state;
    chainsi_sampling sampling = { 0 };
    while (chainsi_sampling_choose(&sampling, 1, NOT_OF_THE_SHARE))
        ;
    for (uint64_t id = 0; id < 4 * CHAINSI_SAMPLING_SHARE; id++)
        assert_int_equal(chainsi_sampling_choose(&sampling, 1, id),
                         id % CHAINSI_SAMPLING_SHARE == 0);
}

static void a_clock_that_stands_still_or_goes_back_gives_no_more(void **state)
{
    (void)state;
    chainsi_sampling sampling = { 0 };
    assert_int_equal(choose_evenly(&sampling, second_ns, 1, 1000), CHAINSI_SAMPLING_BURST);
    assert_false(chainsi_sampling_choose(&sampling, 0, NOT_OF_THE_SHARE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_are_all_recorded),
        cmocka_unit_test(of_many_as_many_as_the_rate),
        cmocka_unit_test(at_once_a_burst_and_a_silence_fills_it_again),
        cmocka_unit_test(of_what_is_more_the_share_by_its_id),
        cmocka_unit_test(a_clock_that_stands_still_or_goes_back_gives_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
