/* The store of traces, their trees, and what the API tells of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "control/api_trace.h"

/* A span of a trace, with times in milliseconds. */
static chainsi_span make_span(uint64_t trace, uint64_t id, uint64_t parent, int64_t began_ms,
                              int64_t ended_ms)
{
    return (chainsi_span){
        .trace_high = 7,
        .trace_low = trace,
        .id = id,
        .parent = parent,
        .began_ns = began_ms * CHAINSI_NS_PER_MS,
        .ended_ns = ended_ms * CHAINSI_NS_PER_MS,
        .queue_ns = -1,
        .decode_ns = -1,
        .run_ns = -1,
        .encode_ns = -1,
        .first_item_ns = -1,
        .kind = CHAINSI_SPAN_SERVED,
        .chainlet = "reader",
        .callee = "",
        .request_id = "",
        .raised_by = "",
        .file = "",
        .message = "",
    };
}

static void add(chainsi_traces *traces, chainsi_span span)
{
    chainsi_traces_add(traces, "books", &span, 0);
}

static bool has(const chainsi_traces *traces, uint64_t trace)
{
    return chainsi_traces_find(traces, 7, trace) != NULL;
}

static void what_was_not_heard_of_longest_goes_first(void **state)
{
    (void)state;
    chainsi_traces *traces = chainsi_traces_new(
        &(chainsi_traces_limits){ .traces = 3, .spans_each = 10, .bytes = SIZE_MAX });
    for (uint64_t trace = 1; trace <= 3; trace++)
        add(traces, make_span(trace, 1, 0, 0, 1));
    add(traces, make_span(1, 2, 1, 0, 1)); /* heard of again */
    add(traces, make_span(4, 1, 0, 0, 1));
    assert_int_equal(chainsi_traces_count(traces), 3);
    assert_true(has(traces, 1) && !has(traces, 2) && has(traces, 3) && has(traces, 4));
    assert_int_equal(chainsi_traces_find(traces, 7, 1)->span_count, 2);
    assert_null(chainsi_traces_find(traces, 8, 1));
    /* By number, the first heard of is the oldest. */
    assert_int_equal(chainsi_traces_newest(traces)->low, 4);
    assert_int_equal(chainsi_traces_newest(traces)->older->low, 3);
    assert_int_equal(chainsi_traces_newest(traces)->older->older->low, 1);
    assert_null(chainsi_traces_newest(traces)->older->older->older);
    chainsi_traces_free(traces);
}

static void bytes_are_bounded_and_the_newest_stays(void **state)
{
    (void)state;
    chainsi_traces *traces = chainsi_traces_new(
        &(chainsi_traces_limits){ .traces = 1000, .spans_each = 1000, .bytes = 20000 });
    for (uint64_t trace = 1; trace <= 200; trace++)
        add(traces, make_span(trace, 1, 0, 0, 1));
    assert_true(chainsi_traces_count(traces) > 10 && chainsi_traces_count(traces) < 100);
    assert_true(has(traces, 200));
    for (uint64_t id = 2; id <= 200; id++)
        add(traces, make_span(200, id, 1, 0, 1));
    assert_int_equal(chainsi_traces_count(traces), 1);
    assert_int_equal(chainsi_traces_find(traces, 7, 200)->span_count, 200);
    chainsi_traces_free(traces);
}

static void spans_of_one_trace_are_bounded_and_counted(void **state)
{
    (void)state;
    chainsi_traces *traces = chainsi_traces_new(
        &(chainsi_traces_limits){ .traces = 3, .spans_each = 10, .bytes = SIZE_MAX });
    for (uint64_t id = 1; id <= 11; id++)
        add(traces, make_span(1, id, 0, 0, 1));
    assert_int_equal(chainsi_traces_find(traces, 7, 1)->span_count, 10);
    assert_int_equal(chainsi_traces_find(traces, 7, 1)->dropped, 1);
    chainsi_traces_free(traces);
}

/* ------------------------------------------------------------------------------------------------
 * trees */

/* The ids of rows with their depths, "1 .2 ..3"; '?' before an orphan. */
static void draw(const chainsi_traces *traces, uint64_t trace, char *text, size_t size)
{
    chainsi_arena arena;
    chainsi_arena_init(&arena);
    const chainsi_trace_kept *kept = chainsi_traces_find(traces, 7, trace);
    const chainsi_trace_row *rows = chainsi_trace_rows(kept, &arena);
    size_t used = 0;
    for (size_t i = 0; i < kept->span_count && used < size; i++) {
        used +=
            (size_t)snprintf(text + used, size - used, "%s%.*s%s%d", i ? " " : "", rows[i].depth,
                             "..........", rows[i].is_orphan ? "?" : "", (int)rows[i].span->id);
    }
    chainsi_arena_done(&arena);
}

typedef struct tree_case {
    const char *what;
    struct {
        uint64_t id, parent;
        int64_t began_ms;
    } spans[8];
    const char *drawn;
} tree_case;

static void trees_whatever_the_order(void **state)
{
    (void)state;
    static const tree_case cases[] = {
        { "a chain of calls", { { 1, 0, 0 }, { 2, 1, 1 }, { 3, 2, 2 } }, "1 .2 ..3" },
        { "as spans end: from within", { { 3, 2, 2 }, { 2, 1, 1 }, { 1, 0, 0 } }, "1 .2 ..3" },
        { "children in the order of beginning",
          { { 4, 1, 3 }, { 2, 1, 1 }, { 1, 0, 0 }, { 3, 1, 2 }, { 5, 2, 4 } },
          "1 .2 ..5 .3 .4" },
        { "at one time, by id", { { 3, 1, 1 }, { 1, 0, 0 }, { 2, 1, 1 } }, "1 .2 .3" },
        { "a parent that isn't there", { { 3, 9, 2 }, { 4, 3, 3 }, { 1, 0, 0 } }, "1 ?3 .4" },
        { "only orphans", { { 3, 9, 2 }, { 4, 8, 1 } }, "?4 ?3" },
        { "one that is its own parent", { { 1, 1, 0 }, { 2, 1, 1 } }, "?1 .2" },
        { "a ring", { { 1, 2, 0 }, { 2, 1, 1 } }, "?1 .2" },
        { "a ring with more below it",
          { { 1, 3, 0 }, { 2, 1, 1 }, { 3, 2, 2 }, { 4, 2, 3 }, { 5, 4, 4 } },
          "?1 .2 ..3 ..4 ...5" },
        { "one id twice", { { 1, 0, 0 }, { 2, 1, 1 }, { 2, 1, 1 }, { 3, 2, 2 } }, "1 .2 ..3 .2" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_traces *traces = chainsi_traces_new(&chainsi_traces_usual);
        for (size_t k = 0; k < 8 && cases[i].spans[k].id; k++)
            add(traces, make_span(1, cases[i].spans[k].id, cases[i].spans[k].parent,
                                  cases[i].spans[k].began_ms, 10));
        char drawn[200];
        draw(traces, 1, drawn, sizeof drawn);
        if (strcmp(drawn, cases[i].drawn) != 0)
            fail_msg("%s: %s, not %s", cases[i].what, drawn, cases[i].drawn);
        chainsi_traces_free(traces);
    }
}

static void any_graph_has_every_span_once(void **state)
{
    (void)state;
    srand(2);
    for (int round = 0; round < 300; round++) {
        chainsi_traces *traces = chainsi_traces_new(&chainsi_traces_usual);
        const int count = 1 + rand() % 60;
        for (int i = 0; i < count; i++)
            add(traces, make_span(1, (uint64_t)(1 + rand() % 50), (uint64_t)(rand() % 52),
                                  rand() % 20, 20 + rand() % 20));
        chainsi_arena arena;
        chainsi_arena_init(&arena);
        const chainsi_trace_kept *kept = chainsi_traces_find(traces, 7, 1);
        const chainsi_trace_row *rows = chainsi_trace_rows(kept, &arena);
        for (const chainsi_traced_span *one = kept->spans; one; one = one->next) {
            int found = 0;
            for (int i = 0; i < count; i++)
                found += rows[i].span == &one->span;
            assert_int_equal(found, 1);
        }
        for (int i = 0; i < count; i++)
            assert_true(rows[i].depth >= 0 && rows[i].depth <= (i ? rows[i - 1].depth + 1 : 0));
        chainsi_arena_done(&arena);
        chainsi_traces_free(traces);
    }
}

static void a_deep_trace_needs_no_stack(void **state)
{
    (void)state;
    chainsi_traces *traces = chainsi_traces_new(
        &(chainsi_traces_limits){ .traces = 1, .spans_each = 200000, .bytes = SIZE_MAX });
    for (uint64_t id = 1; id <= 200000; id++)
        add(traces, make_span(1, id, id - 1, 0, 1));
    chainsi_arena arena;
    chainsi_arena_init(&arena);
    const chainsi_trace_row *rows = chainsi_trace_rows(chainsi_traces_find(traces, 7, 1), &arena);
    assert_int_equal(rows[199999].depth, 199999);
    chainsi_arena_done(&arena);
    chainsi_traces_free(traces);
}

/* ------------------------------------------------------------------------------------------------
 * the API */

/* Three traces: 1 is whole and took 20 ms, 2 failed within the front door, 3 has lost its beginning. */
static chainsi_traces *make_three(void)
{
    chainsi_traces *traces = chainsi_traces_new(&chainsi_traces_usual);
    chainsi_span served = make_span(1, 2, 1, 101, 119);
    served.request_id = "order-1";
    served.queue_ns = 500000;
    add(traces, served);
    chainsi_span front = make_span(1, 1, 0, 100, 120);
    front.kind = CHAINSI_SPAN_FRONT;
    front.chainlet = "";
    front.callee = "reader";
    front.request_id = "order-1";
    add(traces, front);

    chainsi_span failed = make_span(2, 2, 1, 201, 203);
    failed.status = CHAINS_NOT_FOUND;
    failed.chainlet = "shelf";
    failed.message = "there is no such book";
    failed.raised_by = "shelf";
    failed.file = "shelf.c";
    failed.line = 12;
    add(traces, failed);
    front = make_span(2, 1, 0, 200, 205);
    front.kind = CHAINSI_SPAN_FRONT;
    front.chainlet = "";
    front.callee = "reader";
    front.status = CHAINS_INTERNAL;
    add(traces, front);

    add(traces, make_span(3, 5, 4, 300, 301));
    return traces;
}

static void a_trace_is_told_as_a_whole(void **state)
{
    (void)state;
    chainsi_traces *traces = make_three();
    chainsi_arena arena;
    chainsi_arena_init(&arena);
    chainsi_api_traces list;
    chainsi_trace_list(traces, &(chainsi_trace_filter){ .limit = 10 }, &arena, &list);
    assert_int_equal(list.traces.count, 3);
    assert_null(list.next);
    const chainsi_api_trace *partial = &list.traces.items[0], *failed = partial + 1,
                            *good = partial + 2;
    assert_string_equal(good->trace_id, "00000000000000070000000000000001");
    assert_string_equal(good->state, "ok");
    assert_string_equal(good->status, "OK");
    assert_string_equal(good->chainlet, "reader");
    assert_string_equal(good->request_id, "order-1");
    assert_true(good->duration_ms == 20);
    assert_null(good->message);
    assert_string_equal(failed->state, "failed");
    assert_string_equal(failed->status, "NOT_FOUND"); /* which HTTP can't say */
    assert_string_equal(failed->message, "there is no such book");
    assert_string_equal(failed->file, "shelf.c");
    assert_int_equal(failed->line, 12);
    assert_null(failed->request_id);
    assert_int_equal(failed->chainlets.count, 1);
    assert_string_equal(partial->state, "partial");
    chainsi_api_trace_tree tree;
    chainsi_trace_describe(chainsi_traces_find(traces, 7, 1), &arena, &tree);
    assert_int_equal(tree.spans.count, 2);
    assert_string_equal(tree.spans.items[0].kind, "front");
    assert_int_equal(tree.spans.items[1].depth, 1);
    assert_true(tree.spans.items[1].start_ms == 1);
    assert_true(*tree.spans.items[1].queue_ms == 0.5);
    assert_null(tree.spans.items[1].run_ms);
    /* By HTTP nobody says when a call was made, but the front door when it came. */
    chainsi_trace_describe(chainsi_traces_find(traces, 7, 2), &arena, &tree);
    assert_true(*tree.spans.items[1].queue_ms == 1);
    chainsi_trace_describe(chainsi_traces_find(traces, 7, 3), &arena, &tree);
    assert_null(tree.spans.items[0].queue_ms);
    chainsi_arena_done(&arena);
    chainsi_traces_free(traces);
}

static size_t count_listed(const chainsi_traces *traces, chainsi_trace_filter filter)
{
    chainsi_arena arena;
    chainsi_api_traces list;
    chainsi_arena_init(&arena);
    filter.limit = 10;
    chainsi_trace_list(traces, &filter, &arena, &list);
    chainsi_arena_done(&arena);
    return list.traces.count;
}

static void filters(void **state)
{
    (void)state;
    chainsi_traces *traces = make_three();
    assert_int_equal(count_listed(traces, (chainsi_trace_filter){ .chain = "books" }), 3);
    assert_int_equal(count_listed(traces, (chainsi_trace_filter){ .chain = "others" }), 0);
    assert_int_equal(count_listed(traces, (chainsi_trace_filter){ .chainlet = "shelf" }), 1);
    assert_int_equal(count_listed(traces, (chainsi_trace_filter){ .state = "ok" }), 1);
    assert_int_equal(count_listed(traces, (chainsi_trace_filter){ .state = "failed" }), 1);
    assert_int_equal(count_listed(traces, (chainsi_trace_filter){ .state = "NOT_FOUND" }), 1);
    assert_int_equal(count_listed(traces, (chainsi_trace_filter){ .state = "partial" }), 1);
    assert_int_equal(count_listed(traces, (chainsi_trace_filter){ .request_id = "order-1" }), 1);
    assert_int_equal(count_listed(traces, (chainsi_trace_filter){ .min_ms = 5 }), 2);
    assert_int_equal(count_listed(traces, (chainsi_trace_filter){ .min_ms = 5.1 }), 1);
    assert_int_equal(count_listed(traces, (chainsi_trace_filter){ .before = 3 }), 2);
    assert_non_null(chainsi_traces_find_request(traces, "order-1"));
    assert_null(chainsi_traces_find_request(traces, "order-2"));
    chainsi_traces_free(traces);
}

/* A client may send one trace to several chains, and one chain may call another. */
static void of_one_chain_no_other_is_seen(void **state)
{
    (void)state;
    chainsi_traces *traces = chainsi_traces_new(&chainsi_traces_usual);
    chainsi_span own = make_span(1, 1, 0, 0, 9), other = make_span(1, 2, 1, 2, 3);
    other.chainlet = "vault";
    other.request_id = "secret-1";
    add(traces, own);
    chainsi_traces_add(traces, "banks", &other, 0);
    add(traces, make_span(2, 1, 0, 0, 1));
    assert_int_equal(count_listed(traces, (chainsi_trace_filter){ .only = "books" }), 2);
    assert_int_equal(count_listed(traces, (chainsi_trace_filter){ .only = "banks" }), 1);
    assert_int_equal(count_listed(traces, (chainsi_trace_filter){ .only = "others" }), 0);
    const chainsi_trace_filter guess = { .only = "books", .request_id = "secret-1" };
    assert_int_equal(count_listed(traces, guess), 0);
    chainsi_arena arena = { 0 };
    chainsi_api_traces list;
    for (size_t limit = 1; limit <= 2; limit++) {
        chainsi_trace_list(traces, &(chainsi_trace_filter){ .only = "banks", .limit = limit },
                           &arena, &list);
        assert_int_equal(list.kept, 1);
        assert_string_equal(list.traces.items[0].chain, "banks");
        chainsi_trace_list(traces, &(chainsi_trace_filter){ .only = "books", .limit = limit },
                           &arena, &list);
        assert_int_equal(list.kept, 2);
        assert_int_equal(list.traces.count, limit);
    }
    const chainsi_trace_kept *whole = chainsi_traces_find(traces, 7, 1);
    const chainsi_trace_kept *seen = chainsi_trace_only(whole, "books", &arena);
    assert_true(chainsi_trace_is_of(whole, "banks") && !chainsi_trace_is_of(seen, "banks"));
    chainsi_api_trace_tree tree;
    chainsi_trace_describe(seen, &arena, &tree);
    assert_int_equal(tree.spans.count, 1);
    assert_string_equal(tree.spans.items[0].chainlet, "reader");
    assert_int_equal(tree.trace.chainlets.count, 1);
    assert_null(tree.trace.request_id);
    assert_null(chainsi_trace_only(whole, "others", &arena));
    chainsi_arena_done(&arena);
    chainsi_traces_free(traces);
}

static void pages_have_each_trace_once_though_others_come(void **state)
{
    (void)state;
    chainsi_traces *traces = chainsi_traces_new(&chainsi_traces_usual);
    for (uint64_t trace = 1; trace <= 25; trace++)
        add(traces, make_span(trace, 1, 0, 0, 1));
    chainsi_arena arena;
    chainsi_arena_init(&arena);
    chainsi_trace_filter filter = { .limit = 10 };
    int64_t expected = 25;
    size_t sizes[3];
    for (int page = 0; page < 3; page++) {
        chainsi_api_traces list;
        chainsi_trace_list(traces, &filter, &arena, &list);
        sizes[page] = list.traces.count;
        for (size_t i = 0; i < list.traces.count; i++)
            assert_int_equal(list.traces.items[i].number, expected--);
        filter.before = list.next ? *list.next : 0;
        add(traces, make_span(100 + (uint64_t)page, 1, 0, 0, 1));
        add(traces, make_span(1, 2, 1, 0, 1)); /* heard of again: it stays in its place */
    }
    assert_int_equal(expected, 0);
    assert_true(sizes[0] == 10 && sizes[1] == 10 && sizes[2] == 5);
    assert_int_equal(filter.before, 0);
    chainsi_arena_done(&arena);
    chainsi_traces_free(traces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_not_heard_of_longest_goes_first),
        cmocka_unit_test(bytes_are_bounded_and_the_newest_stays),
        cmocka_unit_test(spans_of_one_trace_are_bounded_and_counted),
        cmocka_unit_test(trees_whatever_the_order),
        cmocka_unit_test(any_graph_has_every_span_once),
        cmocka_unit_test(a_deep_trace_needs_no_stack),
        cmocka_unit_test(a_trace_is_told_as_a_whole),
        cmocka_unit_test(filters),
        cmocka_unit_test(of_one_chain_no_other_is_seen),
        cmocka_unit_test(pages_have_each_trace_once_though_others_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
