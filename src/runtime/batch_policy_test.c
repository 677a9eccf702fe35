#include "runtime/batch_policy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/clock.h"

enum { US = 1000 };

static void patience_is_the_wait_but_half_of_what_is_left(void **state)
{
    (void)state;
    assert_int_equal(chainsi_batch_patience(1000, CHAINSI_NEVER, 500 * US), 1000 + 500 * US);
    assert_int_equal(chainsi_batch_patience(1000, 1000 + 2000 * US, 500 * US), 1000 + 500 * US);
    assert_int_equal(chainsi_batch_patience(1000, 1000 + 600 * US, 500 * US), 1000 + 300 * US);
    assert_int_equal(chainsi_batch_patience(1000, 1001, 500 * US), 1000);
    assert_int_equal(chainsi_batch_patience(1000, 1000, 500 * US), 1000);
    assert_int_equal(chainsi_batch_patience(1000, 10, 500 * US), 1000);
    assert_int_equal(chainsi_batch_patience(1000, CHAINSI_NEVER, 0), 1000);
    /* The longest wait that an int of microseconds can say. */
    int64_t longest = INT32_MAX * INT64_C(1000);
    assert_int_equal(chainsi_batch_patience(5, CHAINSI_NEVER, longest), 5 + longest);
}

static void a_lone_call_starts_at_once(void **state)
{
    (void)state;
    chainsi_batch_view view = {
        .waiting = 1, .in_flight = 1, .max_size = 8, .until_ns = CHAINSI_NEVER
    };
    assert_true(chainsi_batch_starts(&view, 0));
}

static void others_in_flight_are_waited_for_until_patience_ends(void **state)
{
    (void)state;
    chainsi_batch_view view = { .waiting = 1, .in_flight = 2, .max_size = 8, .until_ns = 700 };
    assert_false(chainsi_batch_starts(&view, 0));
    assert_false(chainsi_batch_starts(&view, 699));
    assert_true(chainsi_batch_starts(&view, 700));
    view.waiting = 2; /* the other one has come */
    assert_true(chainsi_batch_starts(&view, 0));
    view.waiting = 1, view.in_flight = 1; /* it was answered instead */
    assert_true(chainsi_batch_starts(&view, 0));
}

/* Those that were read count before they begin, and no longer once it is known that they won't. */
static void calls_that_have_not_begun_are_in_flight(void **state)
{
    (void)state;
    chainsi_batch_view view = { .max_size = 8, .until_ns = 5000 };
    view.in_flight = 3; /* were read in one go */
    view.waiting = 1;   /* the first of them begins */
    assert_false(chainsi_batch_starts(&view, 0));
    view.waiting = 2;
    assert_false(chainsi_batch_starts(&view, 0));
    view.in_flight = 2; /* the third was sent back */
    assert_true(chainsi_batch_starts(&view, 0));
    /* Where nobody waits for others, what is in flight doesn't matter. */
    view = (chainsi_batch_view){ .waiting = 1, .in_flight = 64, .max_size = 8, .until_ns = 0 };
    assert_true(chainsi_batch_starts(&view, CHAINSI_NEVER));
    /* More may have been read than fit. */
    view = (chainsi_batch_view){
        .waiting = 8, .in_flight = 64, .max_size = 8, .until_ns = CHAINSI_NEVER
    };
    assert_true(chainsi_batch_starts(&view, 0));
}

static void a_full_batch_starts(void **state)
{
    (void)state;
    chainsi_batch_view view = {
        .waiting = 7, .in_flight = 100, .max_size = 8, .until_ns = CHAINSI_NEVER
    };
    assert_false(chainsi_batch_starts(&view, 1000000));
    view.waiting = 8;
    assert_true(chainsi_batch_starts(&view, 0));
    view.waiting = 9;
    assert_true(chainsi_batch_starts(&view, 0));
}

/* A whole collection on a fake clock: calls come every 100 ns, 20 are known to be on their way. */
static void a_burst_is_collected(void **state)
{
    (void)state;
    chainsi_batch_view view = { .in_flight = 20, .max_size = 16, .until_ns = CHAINSI_NEVER };
    int64_t now = 0;
    for (;; now += 100) {
        int64_t patience = chainsi_batch_patience(now, CHAINSI_NEVER, 10 * US);
        if (patience < view.until_ns)
            view.until_ns = patience;
        view.waiting++;
        if (chainsi_batch_starts(&view, now))
            break;
    }
    assert_int_equal(view.waiting, 16);
    /* The same with a patience of 450 ns: the first one ends it. */
    view = (chainsi_batch_view){ .in_flight = 20, .max_size = 16, .until_ns = CHAINSI_NEVER };
    for (now = 0;; now += 100) {
        int64_t patience = chainsi_batch_patience(now, CHAINSI_NEVER, 450);
        if (patience < view.until_ns)
            view.until_ns = patience;
        view.waiting++;
        if (chainsi_batch_starts(&view, now))
            break;
    }
    assert_int_equal(now, 500);
    assert_int_equal(view.waiting, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patience_is_the_wait_but_half_of_what_is_left),
        cmocka_unit_test(a_lone_call_starts_at_once),
        cmocka_unit_test(others_in_flight_are_waited_for_until_patience_ends),
        cmocka_unit_test(calls_that_have_not_begun_are_in_flight),
        cmocka_unit_test(a_full_batch_starts),
        cmocka_unit_test(a_burst_is_collected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
