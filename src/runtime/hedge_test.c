/* The decisions of hedging, without time and threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

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

/* ------------------------------------------------------------------------------------------------
 * what holds whatever happens, by a clock of its own */

enum { ROUNDS = 200000, SEED = 424 };

/* What would happen: when each attempt ends, counted from its own beginning, and how. */
typedef struct fate {
    chains_depends_config options;
    int64_t deadline_ns, took_ns[2];
    bool succeeds[2];
    int balance;
} fate;

typedef struct outcome {
    bool sent; /* the second attempt */
    int ends;  /* how often the call was ended */
    chainsi_hedge_action how;
    int64_t at_ns; /* when */
} outcome;

static unsigned seed;

static int64_t below(int most)
{
    return rand_r(&seed) % most;
}

/* Times of a few milliseconds: much happens in the same one. */
static fate any_fate(void)
{
    fate of = { .options = { .hedge_ms = (int)below(6) - 1, .idempotent = below(8) },
                .deadline_ns = below(3) ? CHAINSI_NEVER : below(12) * CHAINSI_NS_PER_MS,
                .balance = (int)below(3) * CHAINSI_BUDGET_ATTEMPT / 2 +
                           (int)below(2) * CHAINSI_BUDGET_ATTEMPT };
    for (int i = 0; i < 2; i++) {
        of.took_ns[i] = below(10) * CHAINSI_NS_PER_MS;
        of.succeeds[i] = below(2);
    }
    return of;
}

static void tell(outcome *it, chainsi_hedge_state *state, chainsi_hedge_event event, int64_t now_ns)
{
    chainsi_hedge_action action = next(state, event);
    if (action == CHAINSI_HEDGE_SEND_SECOND)
        it->sent = true;
    else if (action != CHAINSI_HEDGE_GO_ON) {
        it->ends++;
        it->how = action;
        it->at_ns = now_ns;
    }
}

/* Lets it happen, as hedge.c does, until both attempts have ended; who is cancelled fails. What happens at one time
 * happens in this order: it is late, the first ends, the second does. */
static outcome play(const fate *of)
{
    outcome it = { .how = CHAINSI_HEDGE_GO_ON };
    chainsi_hedge_state state = CHAINSI_HEDGE_FIRST;
    int64_t due_ns = chainsi_hedge_due_ns(&of->options, 0, of->deadline_ns);
    int64_t ends_ns[2] = { of->took_ns[0], CHAINSI_NEVER };
    while (ends_ns[0] != CHAINSI_NEVER || ends_ns[1] != CHAINSI_NEVER) {
        if (due_ns != CHAINSI_NEVER && due_ns <= ends_ns[0] && ends_ns[0] != CHAINSI_NEVER) {
            tell(&it, &state, CHAINSI_HEDGE_LATE, due_ns);
            ends_ns[1] = it.sent ? due_ns + of->took_ns[1] : CHAINSI_NEVER;
            due_ns = CHAINSI_NEVER;
            continue;
        }
        int which = ends_ns[1] < ends_ns[0];
        bool succeeds = of->succeeds[which] && it.ends == 0; /* else it was cancelled */
        static const chainsi_hedge_event events[2][2] = {
            { CHAINSI_HEDGE_FIRST_FAILED, CHAINSI_HEDGE_FIRST_SUCCEEDED },
            { CHAINSI_HEDGE_SECOND_FAILED, CHAINSI_HEDGE_SECOND_SUCCEEDED },
        };
        tell(&it, &state, events[which][succeeds], ends_ns[which]);
        ends_ns[which] = CHAINSI_NEVER;
    }
    assert_int_equal(state, CHAINSI_HEDGE_OVER);
    return it;
}

static int64_t hedge_ns(const fate *of)
{
    return (int64_t)of->options.hedge_ms * CHAINSI_NS_PER_MS;
}

/* Whether a second attempt is due, by the words of hedge.h. */
static bool is_second_due(const fate *of)
{
    const int64_t late_ns = hedge_ns(of);
    return of->options.idempotent && of->options.hedge_ms > 0 && late_ns < of->deadline_ns &&
           of->took_ns[0] >= late_ns && of->balance >= CHAINSI_BUDGET_ATTEMPT;
}

static void whatever_happens(void **unused)
{
    (void)unused;
    int seen[2][CHAINSI_HEDGE_FAIL + 1] = { 0 };
    seed = SEED;
    print_message("seed %u\n", seed);
    for (int round = 0; round < ROUNDS; round++) {
        fate of = any_fate();
        atomic_store(&budget.balance, of.balance);
        outcome it = play(&of);
        /* The call ends once, whoever else ends later. */
        assert_int_equal(it.ends, 1);
        assert_int_equal(it.sent, is_second_due(&of));
        assert_int_equal(of.balance - atomic_load(&budget.balance),
                         it.sent ? CHAINSI_BUDGET_ATTEMPT : 0);
        /* By the first success, or by the last failure. */
        const int64_t second_ns = hedge_ns(&of) + of.took_ns[1];
        const bool second = it.sent && of.succeeds[1];
        if (of.succeeds[0] && (!second || of.took_ns[0] <= second_ns)) {
            assert_int_equal(it.how, CHAINSI_HEDGE_TAKE_FIRST);
            assert_true(it.at_ns == of.took_ns[0]);
        } else if (second) {
            assert_int_equal(it.how, CHAINSI_HEDGE_TAKE_SECOND);
            assert_true(it.at_ns == second_ns);
        } else {
            assert_int_equal(it.how, CHAINSI_HEDGE_FAIL);
            assert_true(it.at_ns ==
                        (it.sent && second_ns > of.took_ns[0] ? second_ns : of.took_ns[0]));
        }
        seen[it.sent][it.how]++;
    }
    /* The fates are worth something. */
    for (int sent = 0; sent < 2; sent++)
        for (int how = CHAINSI_HEDGE_TAKE_FIRST; how <= CHAINSI_HEDGE_FAIL; how++)
            if (sent || how != CHAINSI_HEDGE_TAKE_SECOND)
                assert_true(seen[sent][how] > ROUNDS / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_call_in_time_is_made_once, fill_budget),
        cmocka_unit_test_setup(the_first_success_counts, fill_budget),
        cmocka_unit_test_setup(one_failure_leaves_the_other, fill_budget),
        cmocka_unit_test_setup(without_budget_there_is_no_second, fill_budget),
        cmocka_unit_test(only_idempotent_calls_are_ever_late),
        cmocka_unit_test(whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
