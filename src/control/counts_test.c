/* What is read out of a text of metrics, and quantiles. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/counts.h"

static void check_near(double number, double wanted, double by)
{
    assert_true(fabs(number - wanted) <= by);
}

static chainsi_counted *read_text(const char *text, chainsi_arena *arena)
{
    static chainsi_label labels[] = { { "chain", "c" },
                                      { "environment", "e" },
                                      { "chainlet", "caller" } };
    chainsi_source source = {
        .families = chainsi_exposition_read(text, strlen(text), arena),
        .labels = { labels, sizeof labels / sizeof *labels },
    };
    return chainsi_counts_read(&source, arena);
}

static const uint64_t *counts_of(chainsi_counted *all, const char *chainlet, const char *callee)
{
    const chainsi_subject subject = { "c", "e", chainlet, callee };
    for (; all; all = all->next)
        if (chainsi_subject_is(&all->subject, &subject))
            return all->counts;
    fail_msg("there is no %s %s", chainlet, callee);
    return NULL;
}

static void calls_of_all_kinds_are_read(void **state)
{
    (void)state;
    static const char text[] =
        "# TYPE chains_calls_total counter\n"
        "chains_calls_total{chainlet=\"caller\",status=\"OK\"} 5\n"
        "chains_calls_total{chainlet=\"caller\",status=\"CANCELLED\"} 2\n"
        "chains_calls_total{chainlet=\"caller\",status=\"INTERNAL\"} 3\n"
        "chains_calls_total{chainlet=\"caller\",status=\"ABORTED\"} NaN\n"
        "# TYPE chains_run_seconds histogram\n"
        "chains_run_seconds_bucket{chainlet=\"caller\",le=\"1e-05\"} 1\n"
        "chains_run_seconds_bucket{chainlet=\"caller\",le=\"0.001\"} 4\n"
        "chains_run_seconds_bucket{chainlet=\"caller\",le=\"0.7\"} 4\n"
        "chains_run_seconds_count{chainlet=\"caller\"} 4\n"
        "# TYPE chains_dependency_calls_total counter\n"
        "chains_dependency_calls_total{chainlet=\"inner\",callee=\"x\",status=\"OK\"} 7\n"
        "chains_dependency_retries_total{chainlet=\"inner\",callee=\"x\"} 6\n"
        "chains_front_calls_total{chain=\"c\",environment=\"e\",status=\"OK\"} 11\n"
        "# TYPE chains_start_seconds histogram\n"
        "chains_start_seconds_count{chain=\"c\",environment=\"e\",chainlet=\"caller\",phase="
        "\"spawn\"} 8\n"
        "chains_start_seconds_count{chain=\"c\",environment=\"e\",chainlet=\"caller\",phase="
        "\"ready\"} 9\n"
        "chains_of_others 3\n";
    chainsi_arena arena = { 0 };
    chainsi_counted *all = read_text(text, &arena);
    const uint64_t *own = counts_of(all, "caller", ""), *edge = counts_of(all, "inner", "x");
    assert_int_equal(own[CHAINSI_COUNT_CALLS], 10);
    assert_int_equal(own[CHAINSI_COUNT_ERRORS], 3);
    assert_int_equal(own[CHAINSI_COUNT_STARTS], 9);
    assert_int_equal(own[CHAINSI_COUNT_TIMES], 1);
    assert_int_equal(own[CHAINSI_COUNT_TIMES + 4], 4);
    assert_int_equal(own[CHAINSI_COUNT_TIMES + 5], 0);
    assert_int_equal(edge[CHAINSI_COUNT_CALLS], 7);
    assert_int_equal(edge[CHAINSI_COUNT_ERRORS], 0);
    assert_int_equal(edge[CHAINSI_COUNT_RETRIES], 6);
    assert_int_equal(counts_of(all, "", "")[CHAINSI_COUNT_CALLS], 11);
    assert_null(read_text("nothing of ours\n", &arena));
    chainsi_arena_done(&arena);
}

static void a_process_tells_of_its_chain_alone(void **state)
{
    (void)state;
    static const char text[] = "chains_calls_total{chain=\"other\",environment=\"e2\"} 5\n"
                               "chains_front_calls_total{chain=\"other\"} 6\n";
    chainsi_arena arena = { 0 };
    chainsi_counted *all = read_text(text, &arena);
    assert_int_equal(counts_of(all, "caller", "")[CHAINSI_COUNT_CALLS], 5);
    assert_int_equal(counts_of(all, "", "")[CHAINSI_COUNT_CALLS], 6);
    assert_null(all->next->next);
    chainsi_arena_done(&arena);
}

static size_t count_subjects(const chainsi_source *source, chainsi_arena *arena)
{
    size_t count = 0;
    for (const chainsi_counted *of = chainsi_counts_read(source, arena); of; of = of->next)
        count++;
    return count;
}

/* The daemon tells of as many as there are. */
static void a_process_tells_of_so_many(void **state)
{
    (void)state;
    static chainsi_label labels[] = { { "chain", "c" } };
    for (size_t more = 0; more <= 1; more++) {
        chainsi_arena arena = { 0 };
        chainsi_buffer text = { 0 };
        for (size_t i = 0; i < CHAINSI_COUNTS_MOST_SUBJECTS + more; i++)
            chainsi_buffer_printf(&text, "chains_calls_total{chainlet=\"x%zu\"} 1\n", i);
        chainsi_source source = {
            .families = chainsi_exposition_read((const char *)text.data, text.size, &arena),
        };
        assert_int_equal(count_subjects(&source, &arena), CHAINSI_COUNTS_MOST_SUBJECTS + more);
        source.labels = (chainsi_labels){ labels, 1 };
        assert_int_equal(count_subjects(&source, &arena), CHAINSI_COUNTS_MOST_SUBJECTS);
        chainsi_buffer_done(&text);
        chainsi_arena_done(&arena);
    }
}

static void buckets_are_taken_apart(void **state)
{
    (void)state;
    static const char text[] = "# TYPE chains_queue_seconds histogram\n"
                               "chains_queue_seconds_bucket{chainlet=\"caller\",le=\"1e-05\"} 1\n"
                               "chains_queue_seconds_bucket{chainlet=\"caller\",le=\"5e-05\"} 3\n"
                               "chains_queue_seconds_bucket{chainlet=\"caller\",le=\"+Inf\"} 9\n";
    chainsi_arena arena = { 0 };
    const uint64_t *own = counts_of(read_text(text, &arena), "caller", "");
    assert_int_equal(own[CHAINSI_COUNT_QUEUES], 1);
    assert_int_equal(own[CHAINSI_COUNT_QUEUES + 1], 2);
    assert_int_equal(own[CHAINSI_COUNT_QUEUES + CHAINSI_HISTOGRAM_BOUNDS], 9);
    chainsi_arena_done(&arena);
}

static void quantiles_lie_in_their_bucket(void **state)
{
    (void)state;
    double buckets[CHAINSI_COUNT_BUCKETS] = { 0 };
    assert_true(isnan(chainsi_counts_quantile(buckets, 0.5)));
    buckets[5] = 10; /* 1 to 5 ms */
    check_near(chainsi_counts_quantile(buckets, 0.5), 3, 1e-9);
    check_near(chainsi_counts_quantile(buckets, 1), 5, 1e-9);
    buckets[0] = 10; /* to 10 us */
    check_near(chainsi_counts_quantile(buckets, 0.25), 0.005, 1e-9);
    check_near(chainsi_counts_quantile(buckets, 0.75), 3, 1e-9);
    buckets[CHAINSI_HISTOGRAM_BOUNDS] = 80; /* longer than all */
    check_near(chainsi_counts_quantile(buckets, 0.99), 120000, 1e-9);
    /* Of shares, too. */
    memset(buckets, 0, sizeof buckets);
    buckets[5] = 0.25;
    check_near(chainsi_counts_quantile(buckets, 0.5), 3, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_of_all_kinds_are_read),
        cmocka_unit_test(a_process_tells_of_its_chain_alone),
        cmocka_unit_test(a_process_tells_of_so_many),
        cmocka_unit_test(buckets_are_taken_apart),
        cmocka_unit_test(quantiles_lie_in_their_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
