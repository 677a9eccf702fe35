/* Prometheus text: there and back, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "control/exposition.h"

static chainsi_arena arena;

static int forget(void **state)
{
    (void)state;
    chainsi_arena_done(&arena);
    return 0;
}

static chainsi_family *read_text(const char *text)
{
    return chainsi_exposition_read(text, strlen(text), &arena);
}

/* What is written of a text, with labels of its own. */
static const char *written(const char *text, chainsi_labels labels)
{
    chainsi_source source = { .families = read_text(text), .labels = labels };
    chainsi_buffer out = { 0 };
    chainsi_exposition_write(&source, &out);
    const char *copy = chainsi_arena_copy(&arena, out.data, out.size);
    chainsi_buffer_done(&out);
    return copy;
}

static void families_come_back(void **state)
{
    (void)state;
    static const char text[] = "# HELP calls_total Calls, \\ by status.\n"
                               "# TYPE calls_total counter\n"
                               "calls_total{a=\"x\\\"y\\\\z\\n\",status=\"OK\"} 3\n"
                               "calls_total{status=\"NO\"} 0.125\n"
                               "# TYPE run_seconds histogram\n"
                               "run_seconds_bucket{le=\"1\"} 4\n"
                               "run_seconds_bucket{le=\"+Inf\"} 6\n"
                               "run_seconds_sum 0.013350853\n"
                               "run_seconds_count 6\n"
                               "# TYPE odd untyped\n"
                               "odd +Inf\n";
    assert_string_equal(written(text, (chainsi_labels){ 0 }), text);
    chainsi_family *calls = read_text(text);
    assert_string_equal(calls->type, "counter");
    assert_string_equal(chainsi_labels_find(&calls->samples->labels, "a"), "x\"y\\z\n");
    assert_null(chainsi_labels_find(&calls->samples->labels, "b"));
    assert_true(calls->samples->next->value == 0.125);
    assert_string_equal(calls->next->name, "run_seconds");
}

static void labels_are_added_and_go_first(void **state)
{
    (void)state;
    chainsi_label all[] = { { "chain", "books" }, { "chainlet", "reader" } };
    assert_string_equal(
        written("calls{chainlet=\"other\",a=\"b\"} 1\ncalls 2\n", (chainsi_labels){ all, 2 }),
        "# TYPE calls untyped\n"
        "calls{chain=\"books\",chainlet=\"reader\",a=\"b\"} 1\n"
        "calls{chain=\"books\",chainlet=\"reader\"} 2\n");
}

static void a_family_of_several_sources_is_one(void **state)
{
    (void)state;
    chainsi_label one[] = { { "replica", "1" } }, two[] = { { "replica", "2" } };
    chainsi_source second = {
        .families = read_text("# TYPE a gauge\na 3\n# TYPE c gauge\nc 4\n"),
        .labels = { two, 1 },
    };
    chainsi_source first = {
        .families = read_text("# TYPE b gauge\nb 1\n# TYPE a gauge\na 2\n"),
        .labels = { one, 1 },
        .next = &second,
    };
    chainsi_buffer out = { 0 };
    chainsi_exposition_write(&first, &out);
    chainsi_buffer_add_byte(&out, 0);
    assert_string_equal((const char *)out.data, "# TYPE b gauge\nb{replica=\"1\"} 1\n"
                                                "# TYPE a gauge\na{replica=\"1\"} 2\n"
                                                "a{replica=\"2\"} 3\n"
                                                "# TYPE c gauge\nc{replica=\"2\"} 4\n");
    chainsi_buffer_done(&out);
}

static void what_can_not_be_read_is_left_out(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",           "\n\n",        "a",           "a{",      "a{} ",        "a{b} 1",
        "a{b=c}",     "a{b=\"c} 1",  "a{b=\"c\" 1", "1a 2",    "a 1x",        "a{b=\"\\",
        "a{=\"\"} 1", "{a=\"b\"} 1", "# TYPE",      "# HELP ", "# a comment", "a one",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (const chainsi_family *each = read_text(bad[i]); each; each = each->next)
            assert_null(each->samples);
    /* A line alone, and those beside it stay; a time stamp is passed over. */
    assert_string_equal(
        written("a 1 1234567890\r\nb{c=\"d} 1\nb{c=\"d\",} 2", (chainsi_labels){ 0 }),
        "# TYPE a untyped\na 1\n# TYPE b untyped\nb{c=\"d\"} 2\n");
}

static void too_much_is_left_out(void **state)
{
    (void)state;
    chainsi_buffer text = { 0 };
    for (int i = 0; i < CHAINSI_EXPOSITION_MOST_SAMPLES + 1; i++)
        chainsi_buffer_printf(&text, "a{b=\"%d\"} 1\n", i);
    chainsi_family *read = chainsi_exposition_read((const char *)text.data, text.size, &arena);
    size_t count = 0;
    for (const chainsi_sample *each = read->samples; each; each = each->next)
        count++;
    assert_int_equal(count, CHAINSI_EXPOSITION_MOST_SAMPLES);
    for (int most = CHAINSI_EXPOSITION_MOST_LABELS; most <= CHAINSI_EXPOSITION_MOST_LABELS + 1;
         most++) {
        text.size = 0;
        chainsi_buffer_add_text(&text, "a{");
        for (int i = 0; i < most; i++)
            chainsi_buffer_printf(&text, "l%d=\"x\",", i);
        chainsi_buffer_add_text(&text, "} 1");
        read = chainsi_exposition_read((const char *)text.data, text.size, &arena);
        assert_true((read != NULL) == (most == CHAINSI_EXPOSITION_MOST_LABELS));
    }
    chainsi_buffer_done(&text);
}

static size_t count_families(const chainsi_buffer *text, size_t *samples)
{
    size_t count = 0;
    *samples = 0;
    for (const chainsi_family *each =
             chainsi_exposition_read((const char *)text->data, text->size, &arena);
         each; each = each->next, count++)
        for (const chainsi_sample *of = each->samples; of; of = of->next)
            ++*samples;
    return count;
}

/* One past what may be of it. */
static void too_many_families_are_left_out(void **state)
{
    (void)state;
    static const char *const lines[] = { "x%d 1\n", "# TYPE x%d gauge\n", "# HELP x%d of it\n" };
    for (int k = 0; k < 3; k++)
        for (int more = 0; more <= 1; more++) {
            chainsi_buffer text = { 0 };
            size_t samples;
            for (int i = 0; i < CHAINSI_EXPOSITION_MOST_FAMILIES + more; i++)
                chainsi_buffer_printf(&text, lines[k], i);
            chainsi_buffer_add_text(&text, "x0 5\n"); /* of one that there is */
            assert_int_equal(count_families(&text, &samples), CHAINSI_EXPOSITION_MOST_FAMILIES);
            assert_int_equal(samples, k ? 1 : CHAINSI_EXPOSITION_MOST_FAMILIES + 1);
            chainsi_buffer_done(&text);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(families_come_back, forget),
        cmocka_unit_test_teardown(labels_are_added_and_go_first, forget),
        cmocka_unit_test_teardown(a_family_of_several_sources_is_one, forget),
        cmocka_unit_test_teardown(what_can_not_be_read_is_left_out, forget),
        cmocka_unit_test_teardown(too_much_is_left_out, forget),
        cmocka_unit_test_teardown(too_many_families_are_left_out, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
