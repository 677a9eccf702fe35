/* A trace as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/waterfall.h"

static const double quarter = 25, tenth = 10;
static const int64_t three = 3;

/* A call of 100 ms: the reader waits 25 ms in its queue, calls the shelf from 50 to 80, which fails once and is
 * called again, and then a stream. */
static chainsi_api_span spans[] = {
    { .kind = "front", .chainlet = "", .callee = "reader", .status = "OK", .duration_ms = 100 },
    { .depth = 1,
      .kind = "served",
      .chainlet = "reader",
      .status = "OK",
      .start_ms = 25,
      .duration_ms = 75,
      .queue_ms = &quarter },
    { .depth = 2,
      .kind = "made",
      .chainlet = "reader",
      .callee = "shelf",
      .status = "OK",
      .attempt = 2,
      .start_ms = 50,
      .duration_ms = 30 },
    { .depth = 3,
      .kind = "attempt",
      .chainlet = "reader",
      .callee = "shelf",
      .attempt = 1,
      .status = "UNAVAILABLE",
      .start_ms = 50,
      .duration_ms = 10,
      .message = "it is locked" },
    { .depth = 4,
      .kind = "served",
      .chainlet = "shelf",
      .status = "UNAVAILABLE",
      .start_ms = 55,
      .duration_ms = 5,
      .message = "it is locked",
      .raised_by = "shelf",
      .file = "shelf.c",
      .line = 7 },
    { .depth = 3,
      .kind = "attempt",
      .chainlet = "reader",
      .callee = "shelf",
      .attempt = 2,
      .status = "OK",
      .start_ms = 70,
      .duration_ms = 10 },
    { .depth = 2,
      .kind = "made",
      .chainlet = "reader",
      .callee = "voice",
      .status = "OK",
      .attempt = 1,
      .start_ms = 80,
      .duration_ms = 20,
      .items = &three,
      .first_item_ms = &tenth },
};

static chainsi_api_trace_tree make_tree(void)
{
    return (chainsi_api_trace_tree){
        .trace = { .trace_id = "0af7651916cd43dd8448eb211c80319c",
                   .chain = "books",
                   .chainlet = "reader",
                   .request_id = "order-1",
                   .state = "ok",
                   .status = "OK",
                   .started_at = "2026-01-31T12:00:00.123Z",
                   .duration_ms = 100 },
        .spans = { spans, sizeof spans / sizeof *spans },
    };
}

static void assert_drawn(const chainsi_api_trace_tree *tree, const chainsi_waterfall_style *style,
                         const char *expected)
{
    chainsi_buffer out = { 0 };
    chainsi_waterfall_write(tree, style, &out);
    chainsi_buffer_add_byte(&out, 0);
    assert_string_equal((const char *)out.data, expected);
    chainsi_buffer_done(&out);
}

static void in_ascii(void **state)
{
    (void)state;
    const chainsi_api_trace_tree tree = make_tree();
    assert_drawn(&tree, &(chainsi_waterfall_style){ .columns = 72 },
                 "books/reader  OK  100 ms  2026-01-31T12:00:00.123Z\n"
                 "trace 0af7651916cd43dd8448eb211c80319c  request order-1\n"
                 "\n"
                 "                                                 0                100 ms\n"
                 "front door                              100 ms   ......=================\n"
                 " reader                                75.0 ms   ......#####============\n"
                 "  -> shelf, 2 attempts                 30.0 ms              ===##==\n"
                 "   attempt 1                           10.0 ms !            ##=\n"
                 "    shelf                              5.00 ms !              #\n"
                 "      UNAVAILABLE: it is locked (shelf, shelf.c:7)\n"
                 "   attempt 2                           10.0 ms                   ##\n"
                 "  -> voice, 3 items, first after 10~   20.0 ms                     #####\n"
                 "\n"
                 ". queued  : decodes, encodes  = waits for calls  # works\n");
}

static void in_unicode_and_color(void **state)
{
    (void)state;
    chainsi_api_trace_tree tree = make_tree();
    tree.spans.items = spans + 4;
    tree.spans.count = 1;
    tree.trace.state = "partial";
    tree.trace.dropped = 2;
    tree.trace.duration_ms = 60;
    spans[4].orphan = true;
    assert_drawn(&tree, &(chainsi_waterfall_style){ .columns = 0, .unicode = true, .color = true },
                 "books/reader  OK  60.0 ms  2026-01-31T12:00:00.123Z\n"
                 "trace 0af7651916cd43dd8448eb211c80319c  request order-1\n"
                 "what began it isn't there, or has not ended yet\n"
                 "2 more spans were not kept\n"
                 "\n"
                 "                        0        60.0 ms\n"
                 "\x1b[31m    ? shelf\x1b[0m   5.00 ms !                █\n"
                 "      \x1b[31mUNAVAILABLE: it is locked (shelf, shelf.c:7)\x1b[0m\n"
                 "\n"
                 "░ queued  ▓ decodes, encodes  ▒ waits for calls  █ works\n");
    spans[4].orphan = false;
}

static void phases_where_there_is_room(void **state)
{
    (void)state;
    static const double run = 45, encode = 20;
    chainsi_api_trace_tree tree = make_tree();
    tree.spans.items = spans + 1;
    tree.spans.count = 1;
    spans[1].decode_ms = &tenth;
    spans[1].run_ms = &run;
    spans[1].encode_ms = &encode;
    assert_drawn(&tree, &(chainsi_waterfall_style){ .columns = 120 },
                 "books/reader  OK  100 ms  2026-01-31T12:00:00.123Z\n"
                 "trace 0af7651916cd43dd8448eb211c80319c  request order-1\n"
                 "\n"
                 "             TIME     QUEUE    DECODE       RUN    ENCODE   0                    "
                 "                                 100 ms\n"
                 " reader   75.0 ms   25.0 ms   10.0 ms   45.0 ms   20.0 ms   "
                 "...............::::::###########################::::::::::::\n"
                 "\n"
                 ". queued  : decodes, encodes  = waits for calls  # works\n");
    spans[1].decode_ms = spans[1].run_ms = spans[1].encode_ms = NULL;
}

/* Names and messages of somebody who means harm. */
static void what_is_said_is_only_shown(void **state)
{
    (void)state;
    static chainsi_api_span hostile[] = {
        { .kind = "served",
          .chainlet = "a_name_that_is_longer_than_the_terminal_is_wide_\x1b[2J",
          .status = "INTERNAL",
          .duration_ms = 1,
          .message = "line\nbreak \x1b]0;title\x07 \xff",
          .raised_by = "x\r",
          .file = "y\x1b[A.c",
          .line = 1 },
    };
    const chainsi_api_trace_tree tree = {
        .trace = { .trace_id = "0af7651916cd43dd8448eb211c80319c",
                   .chain = "books\x1b",
                   .chainlet = "reader",
                   .request_id = "\x1b[31mred",
                   .state = "failed",
                   .status = "INTERNAL",
                   .started_at = "2026-01-31T12:00:00.123Z",
                   .duration_ms = 1 },
        .spans = { hostile, 1 },
    };
    assert_drawn(&tree, &(chainsi_waterfall_style){ .columns = 60 },
                 "books\\x1b/reader  INTERNAL  1.00 ms  2026-01-31T12:00:00.123Z\n"
                 "trace 0af7651916cd43dd8448eb211c80319c  request \\x1b[31mred\n"
                 "\n"
                 "                                           0         1.00 ms\n"
                 "a_name_that_is_longer_than_th~   1.00 ms ! #################\n"
                 "  INTERNAL: line\\nbreak \\x1b]0;title\\x07 \\xff (x\\x0d, y\\x1b[A.c:1)\n"
                 "\n"
                 ". queued  : decodes, encodes  = waits for calls  # works\n");
}

static void nothing_at_all(void **state)
{
    (void)state;
    chainsi_api_trace_tree tree = make_tree();
    tree.spans.count = 0;
    assert_drawn(&tree, &(chainsi_waterfall_style){ .columns = 40 },
                 "books/reader  OK  100 ms  2026-01-31T12:00:00.123Z\n"
                 "trace 0af7651916cd43dd8448eb211c80319c  request order-1\n"
                 "\n"
                 "             0                    100 ms\n"
                 "\n"
                 ". queued  : decodes, encodes  = waits for calls  # works\n");
}

static void times(void **state)
{
    (void)state;
    static const struct {
        double ms;
        const char *text;
    } cases[] = {
        { 0, "0 us" },         { 0.0004, "0 us" },   { 0.012, "12 us" },   { 0.9994, "999 us" },
        { 0.9996, "1.00 ms" }, { 1.234, "1.23 ms" }, { 12.34, "12.3 ms" }, { 123.4, "123 ms" },
        { 999.6, "1.00 s" },   { 12345, "12.3 s" },  { 123456, "123 s" },  { 9.996, "10.0 ms" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[32];
        chainsi_waterfall_time(text, cases[i].ms, false);
        assert_string_equal(text, cases[i].text);
    }
    char text[32];
    chainsi_waterfall_time(text, 0.012, true);
    assert_string_equal(text, "12 \u00b5s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_ascii),
        cmocka_unit_test(in_unicode_and_color),
        cmocka_unit_test(phases_where_there_is_room),
        cmocka_unit_test(what_is_said_is_only_shown),
        cmocka_unit_test(nothing_at_all),
        cmocka_unit_test(times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
