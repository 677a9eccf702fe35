/* The decisions of hedging, without time and threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/hedge.h"

static chainsi_retry_budget budget;

static chainsi_hedge_action next(chainsi_hedge_state *state, chainsi_hedge_event event)
{
    return chainsi_hedge_next(state, &budget, event);
}

static int fill_budget(void **state)
{
    (void)state;
    budget.balance = CHAINSI_BUDGET_MOST;
    return 0;
}

static void a_call_in_time_is_made_once(void **unused)
{
    (void)unused;
    chainsi_hedge_state state = CHAINSI_HEDGE_FIRST;
    assert_int_equal(next(&state, CHAINSI_HEDGE_FIRST_SUCCEEDED), CHAINSI_HEDGE_TAKE_FIRST);
    assert_int_equal(next(&state, CHAINSI_HEDGE_LATE), CHAINSI_HEDGE_GO_ON);
    assert_int_equal(budget.balance, CHAINSI_BUDGET_MOST);
    /* One that fails before it is late is the retry policy's business. */
    state = CHAINSI_HEDGE_FIRST;
    assert_int_equal(next(&state, CHAINSI_HEDGE_FIRST_FAILED), CHAINSI_HEDGE_FAIL);
    assert_int_equal(next(&state, CHAINSI_HEDGE_LATE), CHAINSI_HEDGE_GO_ON);
    assert_int_equal(budget.balance, CHAINSI_BUDGET_MOST);
}

static void the_first_success_counts(void **unused)
{
    (void)unused;
    chainsi_hedge_state state = CHAINSI_HEDGE_FIRST;
    assert_int_equal(next(&state, CHAINSI_HEDGE_LATE), CHAINSI_HEDGE_SEND_SECOND);
    assert_int_equal(budget.balance, CHAINSI_BUDGET_MOST - CHAINSI_BUDGET_ATTEMPT);
    assert_int_equal(next(&state, CHAINSI_HEDGE_LATE), CHAINSI_HEDGE_GO_ON); /* two at most */
    assert_int_equal(next(&state, CHAINSI_HEDGE_SECOND_SUCCEEDED), CHAINSI_HEDGE_TAKE_SECOND);
    assert_int_equal(next(&state, CHAINSI_HEDGE_FIRST_SUCCEEDED), CHAINSI_HEDGE_GO_ON);
    assert_int_equal(next(&state, CHAINSI_HEDGE_FIRST_FAILED), CHAINSI_HEDGE_GO_ON);

    state = CHAINSI_HEDGE_FIRST;
    assert_int_equal(next(&state, CHAINSI_HEDGE_LATE), CHAINSI_HEDGE_SEND_SECOND);
    assert_int_equal(next(&state, CHAINSI_HEDGE_FIRST_SUCCEEDED), CHAINSI_HEDGE_TAKE_FIRST);
    assert_int_equal(next(&state, CHAINSI_HEDGE_SECOND_SUCCEEDED), CHAINSI_HEDGE_GO_ON);
}

static void one_failure_leaves_the_other(void **unused)
{
    (void)unused;
    static const chainsi_hedge_event failures[] = { CHAINSI_HEDGE_FIRST_FAILED,
                                                    CHAINSI_HEDGE_SECOND_FAILED };
    static const chainsi_hedge_event successes[] = { CHAINSI_HEDGE_FIRST_SUCCEEDED,
                                                     CHAINSI_HEDGE_SECOND_SUCCEEDED };
    static const chainsi_hedge_action taken[] = { CHAINSI_HEDGE_TAKE_FIRST,
                                                  CHAINSI_HEDGE_TAKE_SECOND };
    for (int one = 0; one < 2; one++) {
        chainsi_hedge_state state = CHAINSI_HEDGE_FIRST;
        next(&state, CHAINSI_HEDGE_LATE);
        assert_int_equal(next(&state, failures[one]), CHAINSI_HEDGE_GO_ON);
        assert_int_equal(next(&state, CHAINSI_HEDGE_LATE), CHAINSI_HEDGE_GO_ON);
        chainsi_hedge_state same = state;
        assert_int_equal(next(&state, successes[1 - one]), taken[1 - one]);
        assert_int_equal(next(&same, failures[1 - one]), CHAINSI_HEDGE_FAIL);
    }
}

static void without_budget_there_is_no_second(void **unused)
{
    (void)unused;
    budget.balance = CHAINSI_BUDGET_ATTEMPT - 1;
    chainsi_hedge_state state = CHAINSI_HEDGE_FIRST;
    assert_int_equal(next(&state, CHAINSI_HEDGE_LATE), CHAINSI_HEDGE_GO_ON);
    assert_int_equal(next(&state, CHAINSI_HEDGE_FIRST_FAILED), CHAINSI_HEDGE_FAIL);
    assert_int_equal(budget.balance, CHAINSI_BUDGET_ATTEMPT - 1);
}

static void only_idempotent_calls_are_ever_late(void **unused)
{
    (void)unused;
    const int64_t now = 1000 * CHAINSI_NS_PER_MS;
    chains_depends_config options = { .hedge_ms = 50, .idempotent = true };
    assert_true(chainsi_hedge_due_ns(&options, now, CHAINSI_NEVER) == 1050 * CHAINSI_NS_PER_MS);
    assert_true(chainsi_hedge_due_ns(&options, now, now + 51 * CHAINSI_NS_PER_MS) ==
                1050 * CHAINSI_NS_PER_MS);
    /* Not where the attempt ends no later than that. */
    assert_true(chainsi_hedge_due_ns(&options, now, now + 50 * CHAINSI_NS_PER_MS) == CHAINSI_NEVER);
    options.idempotent = false;
    assert_true(chainsi_hedge_due_ns(&options, now, CHAINSI_NEVER) == CHAINSI_NEVER);
    options = (chains_depends_config){ .idempotent = true };
    assert_true(chainsi_hedge_due_ns(&options, now, CHAINSI_NEVER) == CHAINSI_NEVER);
    options.hedge_ms = -1;
    assert_true(chainsi_hedge_due_ns(&options, now, CHAINSI_NEVER) == CHAINSI_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_call_in_time_is_made_once, fill_budget),
        cmocka_unit_test_setup(the_first_success_counts, fill_budget),
        cmocka_unit_test_setup(one_failure_leaves_the_other, fill_budget),
        cmocka_unit_test_setup(without_budget_there_is_no_second, fill_budget),
        cmocka_unit_test(only_idempotent_calls_are_ever_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
