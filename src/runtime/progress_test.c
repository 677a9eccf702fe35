/* Progress, with a clock that the test turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/progress.h"

static int64_t still_ns(chainsi_progress *progress, int64_t now_ns)
{
    int running;
    return chainsi_progress_still_ns(progress, now_ns, &running);
}

static void an_idle_replica_does_not_stand_still(void **state)
{
    (void)state;
    chainsi_progress progress = { 0 };
    assert_int_equal(still_ns(&progress, 1000), 0);
    chainsi_progress_begin(&progress, 5000);
    assert_int_equal(still_ns(&progress, 5000), 0);
    assert_int_equal(still_ns(&progress, 5300), 300);
    chainsi_progress_end(&progress, 5400);
    assert_int_equal(still_ns(&progress, 9000), 0);
    /* The time between calls is nobody's. */
    chainsi_progress_begin(&progress, 9000);
    assert_int_equal(still_ns(&progress, 9001), 1);
}

static void one_that_ends_is_progress_of_all(void **state)
{
    (void)state;
    chainsi_progress progress = { 0 };
    int running;
    chainsi_progress_begin(&progress, 100);
    chainsi_progress_begin(&progress, 200);
    assert_int_equal(chainsi_progress_still_ns(&progress, 300, &running),
                     200); /* since the first */
    assert_int_equal(running, 2);
    chainsi_progress_end(&progress, 400);
    assert_int_equal(still_ns(&progress, 450), 50);
    chainsi_progress_note(&progress, 500);
    assert_int_equal(still_ns(&progress, 510), 10);
}

static void who_waits_for_a_dependency_does_not_stand_still(void **state)
{
    (void)state;
    chainsi_progress progress = { 0 };
    chainsi_progress_begin(&progress, 0);
    chainsi_progress_leave(&progress);
    chainsi_progress_leave(&progress);
    assert_int_equal(still_ns(&progress, 1000), 0);
    chainsi_progress_return(&progress, 1000);
    assert_int_equal(still_ns(&progress, 2000), 0);
    chainsi_progress_return(&progress, 2000);
    assert_int_equal(still_ns(&progress, 2500), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_replica_does_not_stand_still),
        cmocka_unit_test(one_that_ends_is_progress_of_all),
        cmocka_unit_test(who_waits_for_a_dependency_does_not_stand_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
