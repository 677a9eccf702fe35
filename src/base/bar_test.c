/* A line of progress. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bar.h"

static void lines(void **state)
{
    (void)state;
    static const struct {
        double share;
        const char *words;
        size_t columns;
        bool unicode;
        const char *line;
    } cases[] = {
        { 0.5, "5 of 10  hand.c", 48, false, "building  [######------]  5 of 10  hand.c" },
        { 0, "x", 48, false, "building  [------------]  x" },
        { 1, "x", 48, false, "building  [############]  x" },
        { 7, "x", 48, false, "building  [############]  x" },
        { 0.25, "x", 38, true, "building  ██░░░░░░░  x" },
        { -1, "x", 48, false, "building  x" },
        /* Words come before a bar, and the bar is never cut. */
        { 0.5, "5 of 10  a_long_name_of_a_file.c", 37, false,
          "building  5 of 10  a_long_name_of_a_~" },
        { 0.5, "1\x1b[2J\n2", 30, false, "building  1\\x1b[2J\\n2" },
        { 0.5, "x", 10, false, "building" },
        { 0.5, "x", 5, false, "buil~" },
        { 0.5, "x", 0, false, "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_buffer out = { 0 };
        chainsi_bar_line(&out, "building", cases[i].share, cases[i].words, cases[i].columns,
                         cases[i].unicode);
        chainsi_buffer_add_byte(&out, 0);
        assert_string_equal((const char *)out.data, cases[i].line);
        chainsi_buffer_done(&out);
    }
}

static char *show(bool moves, void (*end)(chainsi_bar *))
{
    char *text = NULL;
    size_t size = 0;
    chainsi_bar bar = { .out = open_memstream(&text, &size),
                        .terminal = { .there = true, .moves = moves, .columns = 21 } };
    chainsi_bar_show(&bar, "going", -1, "1");
    chainsi_bar_show(&bar, "going", -1, "12345678901234567890");
    end(&bar);
    end(&bar);
    fclose(bar.out);
    return text;
}

static void it_is_renewed(void **state)
{
    (void)state;
    char *text = show(true, chainsi_bar_leave);
    assert_string_equal(text, "\rgoing  1\033[K\rgoing  123456789012~\033[K\n");
    free(text);
    text = show(true, chainsi_bar_clear);
    assert_string_equal(text, "\rgoing  1\033[K\rgoing  123456789012~\033[K\r\033[K");
    free(text);
    text = show(false, chainsi_bar_leave);
    assert_string_equal(text, "");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(it_is_renewed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
