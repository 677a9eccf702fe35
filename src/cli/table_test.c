/* Tables of all widths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/table.h"

static const chainsi_table_column columns[] = {
    { .title = "NAME", .least = 6 },
    { .title = "STATE" },
    { .title = "RUN", .right = true, .rank = 1 },
    { .title = "AGE", .right = true, .rank = 2 },
};
static const chainsi_table_row rows[] = {
    { .cells = { { "guide production" }, { "-" }, { "-" }, { "9 d" } }, .span = 3 },
    { .cells = { { "  a_long_name" }, { "ready", "32" }, { "12" }, { "3 s" } } },
    { .cells = { { "  b\n\x1b[2J" }, { "failed", "31" }, { NULL }, { NULL } } },
    { .cells = { { "it has failed: no such file or directory" } }, .span = SIZE_MAX },
};
static const chainsi_table table = { columns, 4, rows, 4 };

static void assert_written(size_t width, bool color, const char *expected)
{
    chainsi_buffer text = { 0 }, body = { 0 };
    chainsi_table_write(&table, width, false, color, &text, &body);
    chainsi_buffer_add(&text, body.data, body.size);
    chainsi_buffer_add_byte(&text, 0);
    assert_string_equal((const char *)text.data, expected);
    chainsi_buffer_done(&text);
    chainsi_buffer_done(&body);
}

static void as_wide_as_it_takes(void **state)
{
    (void)state;
    const char *text = "NAME           STATE   RUN  AGE\n"
                       "guide production            9 d\n"
                       "  a_long_name  ready    12  3 s\n"
                       "  b\\n\\x1b[2J   failed\n"
                       "it has failed: no such file or directory\n";
    assert_written(0, false, text);
    assert_written(100, false, text);
}

static void cut_and_left_out(void **state)
{
    (void)state;
    assert_written(27, false,
                   "NAME       STATE   RUN  AGE\n"
                   "guide production        9 d\n"
                   "  a_long~  ready    12  3 s\n"
                   "  b\\n~     failed\n"
                   "it has failed: no such fil~\n");
    /* Without a column there is room for names again. */
    assert_written(22, false,
                   "NAME       STATE   RUN\n"
                   "guide production\n"
                   "  a_long~  ready    12\n"
                   "  b\\n~     failed\n"
                   "it has failed: no suc~\n");
    assert_written(15, false,
                   "NAME     STATE\n"
                   "guide producti~\n"
                   "  a_lo~  ready\n"
                   "  b\\n~   failed\n"
                   "it has failed:~\n");
}

static void narrower_than_can_be(void **state)
{
    (void)state;
    assert_written(10, false,
                   "N~  STATE\n"
                   "guide pro~\n"
                   " ~  ready\n"
                   " ~  failed\n"
                   "it has fa~\n");
}

static void spans_have_room(void **state)
{
    (void)state;
    static const chainsi_table_row wide_rows[] = {
        { .cells = { { "guide/production  ready  v0001-63bf35" }, { NULL }, { NULL }, { "9 d" } },
          .span = 3 },
        { .cells = { { "  a" }, { "ready" }, { "12" }, { "3 s" } } },
    };
    static const chainsi_table wide = { columns, 4, wide_rows, 2 };
    chainsi_buffer text = { 0 };
    chainsi_table_write(&wide, 0, false, false, &text, &text);
    chainsi_buffer_add_byte(&text, 0);
    assert_string_equal((const char *)text.data, "NAME                       STATE  RUN  AGE\n"
                                                 "guide/production  ready  v0001-63bf35  9 d\n"
                                                 "  a                        ready   12  3 s\n");
    chainsi_buffer_done(&text);
}

static void colors(void **state)
{
    (void)state;
    assert_written(0, true,
                   "NAME           STATE   RUN  AGE\n"
                   "guide production            9 d\n"
                   "  a_long_name  \x1b[32mready \x1b[0m   12  3 s\n"
                   "  b\\n\\x1b[2J   \x1b[31mfailed\x1b[0m\n"
                   "it has failed: no such file or directory\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_wide_as_it_takes),
        cmocka_unit_test(cut_and_left_out),
        cmocka_unit_test(narrower_than_can_be),
        cmocka_unit_test(spans_have_room),
        cmocka_unit_test(colors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
