/* Rates with a clock of the test's own: windows, processes that come, go, begin anew and miss looks. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/ledger.h"

static void check_near(double number, double wanted, double by)
{
    assert_true(fabs(number - wanted) <= by);
}

#define S INT64_C(1000000000)

static const chainsi_subject subject = { "c", "e", "x", "" };

static void add(chainsi_ledger *ledger, uint64_t source, int64_t began_ns, uint64_t calls)
{
    chainsi_counted counted = { .subject = subject };
    counted.counts[CHAINSI_COUNT_CALLS] = calls;
    counted.counts[CHAINSI_COUNT_ERRORS] = calls / 2;
    counted.counts[CHAINSI_COUNT_TIMES + 5] = calls;
    chainsi_ledger_add(ledger, source, began_ns, &counted);
}

/* A look at one process. */
static void look(chainsi_ledger *ledger, int64_t now_ns, uint64_t calls)
{
    chainsi_ledger_begin(ledger, now_ns, 0);
    add(ledger, 1, 0, calls);
    chainsi_ledger_end(ledger);
}

static double rate(const chainsi_ledger *ledger, int64_t now_ns)
{
    return chainsi_ledger_rates(ledger, &subject, now_ns, CHAINSI_LEDGER_WINDOW_S).calls_per_s;
}

static void rates_are_over_the_window(void **state)
{
    (void)state;
    chainsi_ledger *ledger = chainsi_ledger_new(100 * S);
    look(ledger, 101 * S, 1000); /* what a process had counted before is none of ours */
    check_near(rate(ledger, 101 * S), 0, 1e-9);
    for (uint64_t i = 1; i <= 40; i++) {
        look(ledger, (int64_t)(101 + i) * S, 1000 + 20 * i);
        double seconds = i + 1 < 10 ? (double)(i + 1) : 10, known = i < 10 ? (double)i : 10;
        check_near(rate(ledger, (int64_t)(101 + i) * S), 20 * known / seconds, 1e-4);
    }
    const chainsi_rates rates = chainsi_ledger_rates(ledger, &subject, 141 * S, 5);
    check_near(rates.calls_per_s, 20, 1e-4);
    check_near(rates.errors_per_s, 10, 1e-4);
    check_near(rates.p50_ms, 3, 1e-4);
    assert_true(isnan(rates.queue_p99_ms));
    /* Nothing comes any more. */
    check_near(rate(ledger, 146 * S), 10, 1e-4);
    check_near(rate(ledger, 151 * S), 0, 1e-4);
    assert_true(isnan(chainsi_ledger_rates(ledger, &subject, 151 * S, 10).p99_ms));
    /* Of what nobody ever counted. */
    const chainsi_subject other = { "c", "e", "y", "" };
    check_near(chainsi_ledger_rates(ledger, &other, 141 * S, 10).calls_per_s, 0, 0);
    assert_string_equal(chainsi_ledger_pages(ledger)->subject.chainlet, "x");
    assert_null(chainsi_ledger_pages(ledger)->next);
    chainsi_ledger_free(ledger);
}

static void who_began_anew_counts_from_there(void **state)
{
    (void)state;
    chainsi_ledger *ledger = chainsi_ledger_new(0);
    look(ledger, 20 * S, 500); /* it began with the ledger */
    look(ledger, 21 * S, 500);
    look(ledger, 31 * S, 30); /* as if it were another one of that number */
    check_near(rate(ledger, 31 * S), 3, 1e-4);
    chainsi_ledger_free(ledger);
}

static void who_comes_and_goes_makes_no_jump(void **state)
{
    (void)state;
    chainsi_ledger *ledger = chainsi_ledger_new(0);
    for (int64_t i = 1; i <= 30; i++) {
        chainsi_ledger_begin(ledger, i * S, 0);
        if (i < 15)
            add(ledger, 1, 0, (uint64_t)i * 10);
        if (i >= 15) /* began a second ago, and goes on with as many */
            add(ledger, 2, 14 * S, (uint64_t)(i - 14) * 10);
        if (i >= 25) /* was there before, and isn't called */
            add(ledger, 3, -S, 1000000);
        chainsi_ledger_end(ledger);
        check_near(rate(ledger, i * S), 10, 1e-4);
    }
    chainsi_ledger_free(ledger);
}

static void who_misses_looks_gives_a_share(void **state)
{
    (void)state;
    chainsi_ledger *ledger = chainsi_ledger_new(0);
    look(ledger, 1 * S, 10);
    for (int64_t i = 2; i <= 20; i++) {
        chainsi_ledger_begin(ledger, i * S, 0);
        chainsi_ledger_end(ledger);
    }
    look(ledger, 21 * S, 210); /* 10 a second, of which those of the last second count */
    check_near(rate(ledger, 21 * S), 1, 1e-4);
    look(ledger, 22 * S, 220);
    check_near(rate(ledger, 22 * S), 2, 1e-4);
    chainsi_ledger_free(ledger);
}

static void starts_are_counted_whole(void **state)
{
    (void)state;
    chainsi_ledger *ledger = chainsi_ledger_new(0);
    chainsi_counted counted = { .subject = subject };
    assert_int_equal(chainsi_ledger_starts(ledger, &subject), 0);
    for (int64_t at_s = 1; at_s <= 40; at_s++) {
        chainsi_ledger_begin(ledger, at_s * S, 0);
        counted.counts[CHAINSI_COUNT_CALLS] += 10;
        counted.counts[CHAINSI_COUNT_STARTS] += at_s % 3 == 0;
        if (at_s % 4) /* it misses looks, of which calls count as a share */
            chainsi_ledger_add(ledger, 1, 0, &counted);
        chainsi_ledger_end(ledger);
    }
    assert_int_equal(chainsi_ledger_starts(ledger, &subject), 13);
    /* One that began anew. */
    counted.counts[CHAINSI_COUNT_CALLS] = 1;
    counted.counts[CHAINSI_COUNT_STARTS] = 2;
    chainsi_ledger_begin(ledger, 41 * S, 0);
    chainsi_ledger_add(ledger, 1, 0, &counted);
    chainsi_ledger_end(ledger);
    assert_int_equal(chainsi_ledger_starts(ledger, &subject), 15);
    chainsi_ledger_free(ledger);
}

static void what_rested_counts_from_when_it_woke(void **state)
{
    (void)state;
    chainsi_ledger *ledger = chainsi_ledger_new(0);
    look(ledger, 1 * S, 0);
    /* Nobody looked for ten minutes: nothing was called until a second ago. */
    chainsi_ledger_begin(ledger, 600 * S, 599 * S);
    add(ledger, 1, 0, 50);
    chainsi_ledger_end(ledger);
    check_near(rate(ledger, 600 * S), 5, 1e-4);
    assert_int_equal(chainsi_ledger_looked(ledger), 600 * S);
    chainsi_ledger_free(ledger);
}

static void several_processes_are_added_up(void **state)
{
    (void)state;
    chainsi_ledger *ledger = chainsi_ledger_new(0);
    for (int64_t i = 1; i <= 10; i++) {
        chainsi_ledger_begin(ledger, i * S, 0);
        for (uint64_t source = 1; source <= 5; source++)
            add(ledger, source, 0, source * (uint64_t)i);
        chainsi_ledger_end(ledger);
    }
    check_near(rate(ledger, 10 * S), 15, 1e-4);
    /* Those that are gone are forgotten some day, which is no call. */
    for (int64_t i = 11; i <= 100; i++)
        look(ledger, i * S, (uint64_t)i);
    check_near(rate(ledger, 100 * S), 1, 1e-4);
    chainsi_ledger_free(ledger);
    chainsi_ledger_free(NULL);
}

static void the_only_one_answers_again_after_long(void **state)
{
    (void)state;
    chainsi_ledger *ledger = chainsi_ledger_new(0);
    for (int i = 1; i <= 100; i++) {
        chainsi_counted other = { .subject = { "c", "e", "y", "" } };
        chainsi_ledger_begin(ledger, i * S, 0);
        chainsi_ledger_add(ledger, 2, 0, &other);
        if (i < 5 || i > 90)
            add(ledger, 1, 1, 1000000 + (uint64_t)i);
        chainsi_ledger_end(ledger);
    }
    check_near(rate(ledger, 100 * S), 0.9, 0.2);
    chainsi_ledger_free(ledger);
}

static void who_answers_again_after_long_tells_nothing_new(void **state)
{
    (void)state;
    chainsi_ledger *ledger = chainsi_ledger_new(0);
    for (int i = 1; i <= 100; i++) {
        chainsi_ledger_begin(ledger, i * S, 0);
        add(ledger, 2, 0, 0);
        if (i < 5 || i > 90)
            add(ledger, 1, 1, 1000000 + (uint64_t)i);
        if (i > 95)
            add(ledger, 3, 94 * S, 100); /* one that began meanwhile */
        chainsi_ledger_end(ledger);
        if (i > 90 && i < 96)
            assert_true(rate(ledger, i * S) < 2);
    }
    check_near(rate(ledger, 100 * S), 10 + 0.9, 0.2);
    chainsi_ledger_free(ledger);
}

static size_t count_pages(const chainsi_ledger *ledger)
{
    size_t count = 0;
    for (const chainsi_ledger_page *each = chainsi_ledger_pages(ledger); each; each = each->next)
        count++;
    return count;
}

/* A look at a process that tells of so many callees. */
static void look_at_many(chainsi_ledger *ledger, int64_t now_ns, int first, int count)
{
    char callee[32];
    chainsi_ledger_begin(ledger, now_ns, 0);
    for (int i = 0; i < count; i++) {
        snprintf(callee, sizeof callee, "%d", first + i);
        chainsi_counted counted = { .subject = { "c", "e", "x", callee } };
        chainsi_ledger_add(ledger, 1, 0, &counted);
    }
    chainsi_ledger_end(ledger);
}

static void what_none_tells_of_is_forgotten(void **state)
{
    (void)state;
    chainsi_ledger *ledger = chainsi_ledger_new(0);
    look_at_many(ledger, 1 * S, 0, CHAINSI_LEDGER_MOST);
    assert_int_equal(count_pages(ledger), CHAINSI_LEDGER_MOST);
    look_at_many(ledger, 2 * S, CHAINSI_LEDGER_MOST, 1); /* one too many */
    assert_int_equal(count_pages(ledger), CHAINSI_LEDGER_MOST);
    /* Half a minute later nothing is forgotten, after more than a minute what isn't told of any more. */
    for (int i = 3; i < 33; i++)
        look_at_many(ledger, i * S, 7, 2);
    assert_int_equal(count_pages(ledger), CHAINSI_LEDGER_MOST);
    for (int i = 33; i < 100; i++)
        look_at_many(ledger, i * S, 7, 2);
    assert_int_equal(count_pages(ledger), 2);
    look_at_many(ledger, 100 * S, 7, CHAINSI_LEDGER_MOST);
    assert_int_equal(count_pages(ledger), CHAINSI_LEDGER_MOST);
    chainsi_ledger_free(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_over_the_window),
        cmocka_unit_test(who_began_anew_counts_from_there),
        cmocka_unit_test(who_comes_and_goes_makes_no_jump),
        cmocka_unit_test(who_misses_looks_gives_a_share),
        cmocka_unit_test(starts_are_counted_whole),
        cmocka_unit_test(what_rested_counts_from_when_it_woke),
        cmocka_unit_test(several_processes_are_added_up),
        cmocka_unit_test(the_only_one_answers_again_after_long),
        cmocka_unit_test(who_answers_again_after_long_tells_nothing_new),
        cmocka_unit_test(what_none_tells_of_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
