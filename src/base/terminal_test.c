/* What a terminal is told of, and text on it. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/terminal.h"

static void assert_text(chainsi_buffer *out, const char *expected)
{
    chainsi_buffer_add_byte(out, 0);
    assert_string_equal((const char *)out->data, expected);
    chainsi_buffer_done(out);
    *out = (chainsi_buffer){ 0 };
}

static void nothing_is_obeyed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
        size_t columns;
    } cases[] = {
        { "", "", 0 },
        { "plain", "plain", 5 },
        { "\x1b[31mred\x07", "\\x1b[31mred\\x07", 15 },
        { "a\nb\tc\rd", "a\\nb\\tc\\x0dd", 12 },
        { "\x7f", "\\x7f", 4 },
        { "\xc2\x9b"
          "2J",
          "\\x9b2J", 6 },
        { "\x9b"
          "2J",
          "\\x9b2J", 6 },
        { "\xe2\x80\xae"
          "evil",
          "\\u202eevil", 10 },
        { "\xef\xbb\xbf", "\\ufeff", 6 },
        { "\xf3\xa0\x81\x81", "\\ue0041", 7 },
        { "\xc0\x80", "\\xc0\\x80", 8 },
        { "\xed\xa0\x80", "\\xed\\xa0\\x80", 12 },
        { "\xe6\x97", "\\xe6\\x97", 8 },
        { "\xe6\x97\xa5", "\xe6\x97\xa5", 2 },
        { "e\xcc\x81", "e\xcc\x81", 1 },
        { "\xf0\x9f\x9a\x80", "\xf0\x9f\x9a\x80", 2 },
        { "\xc3\xa9", "\xc3\xa9", 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_buffer out = { 0 };
        chainsi_text_add(&out, cases[i].text, strlen(cases[i].text), CHAINSI_TEXT_LINE);
        assert_text(&out, cases[i].shown);
        assert_int_equal(chainsi_text_columns(cases[i].text), cases[i].columns);
    }
    chainsi_buffer out = { 0 };
    chainsi_text_add(&out, "a\tb\n\x1b\r\n", 7, CHAINSI_TEXT_LINES);
    assert_text(&out, "a\tb\n\\x1b\\x0d\n");
    chainsi_text_add(&out, "a\0b", 3, CHAINSI_TEXT_LINE);
    assert_text(&out, "a\\x00b");
    static const char json[] = "{\n\t\"\xc2\x9b\x7f\xe2\x80\xae\xf3\xa0\x81\x81\xe6\x97\xa5\"}";
    chainsi_text_add(&out, json, sizeof json - 1, CHAINSI_TEXT_JSON);
    assert_text(&out, "{\n\t\"\\u009b\\u007f\\u202e\\udb40\\udc41\xe6\x97\xa5\"}");
    chainsi_arena arena = { 0 };
    assert_string_equal(chainsi_text_shown(&arena, "a\x1b"), "a\\x1b");
    assert_string_equal(chainsi_text_shown(&arena, NULL), "");
    chainsi_arena_done(&arena);
}

static void pieces_of_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t whole;
    } cases[] = {
        { "", 0 },
        { "ab", 2 },
        { "a\xc3", 1 },
        { "a\xc3\xa9", 3 },
        { "a\xe6\x97", 1 },
        { "\xe6\x97\xa5", 3 },
        { "\xf0\x9f\x9a", 0 },
        { "\xf0\x9f\x9a\x80", 4 },
        { "\x80\x80\x80\x80", 4 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(chainsi_text_whole(cases[i].text, strlen(cases[i].text)), cases[i].whole);
}

/* Whatever pieces a text comes in, each up to its last whole character makes the same of it. */
static void the_same_from_any_cut(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
        chainsi_text_form form;
    } cases[] = {
        { "plain\ttext\n", "plain\ttext\n", CHAINSI_TEXT_LINES },
        { "\x1b]0;x\x07 10%\r20%\b\x7f", "\\x1b]0;x\\x07 10%\\x0d20%\\x08\\x7f",
          CHAINSI_TEXT_LINES },
        { "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
          CHAINSI_TEXT_LINES },
        { "\xc2\x9b 31m \xc2\xa0", "\\x9b 31m \xc2\xa0", CHAINSI_TEXT_LINES },
        { "\x9b 31m \xff", "\\x9b 31m \\xff", CHAINSI_TEXT_LINES },
        { "\xc2x\xe6\x97", "\\xc2x\\xe6\\x97", CHAINSI_TEXT_LINES },
        { "{\"\xc2\x9b\x7f\"}\n", "{\"\\u009b\\u007f\"}\n", CHAINSI_TEXT_JSON },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t size = strlen(cases[i].text);
        for (size_t step = 1; step <= size; step++) {
            chainsi_buffer out = { 0 };
            size_t from = 0;
            for (size_t to = step; to < size; to += step) {
                const size_t whole = chainsi_text_whole(cases[i].text + from, to - from);
                chainsi_text_add(&out, cases[i].text + from, whole, cases[i].form);
                from += whole;
            }
            chainsi_text_add(&out, cases[i].text + from, size - from, cases[i].form);
            assert_text(&out, cases[i].shown);
        }
    }
}

static void cells(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t columns;
        bool right, unicode;
        const char *cell;
    } cases[] = {
        { "ab", 4, false, false, "ab  " },
        { "ab", 4, true, false, "  ab" },
        { "abcd", 4, false, false, "abcd" },
        { "abcde", 4, false, false, "abc~" },
        { "abcde", 4, true, true, "abc\u2026" },
        { "abcde", 1, false, true, "\u2026" },
        { "abcde", 0, false, true, "" },
        /* A wide character that has no room leaves a blank; an escape is whole or absent. */
        { "\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5", 4, false, false, "\xe6\x97\xa5~ " },
        { "a\x1b[2J", 4, false, false, "a~  " },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_buffer out = { 0 };
        chainsi_text_add_cell(&out, cases[i].text, cases[i].columns, cases[i].right,
                              cases[i].unicode);
        assert_text(&out, cases[i].cell);
    }
    chainsi_buffer out = { 0 };
    chainsi_text_add_cut(&out, "ab", 4, false);
    chainsi_text_add_cut(&out, "abcdef", 4, false);
    assert_text(&out, "ababc~");
}

static void what_a_terminal_can(void **state)
{
    (void)state;
    int file = open("/dev/null", O_RDWR | O_CLOEXEC);
    chainsi_terminal none = chainsi_terminal_of(file);
    assert_false(none.there || none.moves || none.color || none.columns || none.rows);
    close(file);
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ioctl(fd, TIOCSWINSZ, &(struct winsize){ .ws_col = 132, .ws_row = 40 }), 0);
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    chainsi_terminal it = chainsi_terminal_of(fd);
    assert_true(it.there && it.moves && it.color);
    assert_int_equal(it.columns, 132);
    assert_int_equal(it.rows, 40);
    setenv("NO_COLOR", "", 1);
    assert_true(chainsi_terminal_of(fd).color);
    setenv("NO_COLOR", "1", 1);
    it = chainsi_terminal_of(fd);
    assert_true(it.moves && !it.color);
    unsetenv("NO_COLOR");
    setenv("TERM", "dumb", 1);
    it = chainsi_terminal_of(fd);
    assert_true(it.there && !it.moves && !it.color);
    unsetenv("TERM");
    assert_false(chainsi_terminal_of(fd).moves);
    setenv("LC_ALL", "de_DE.ISO-8859-1", 1);
    assert_false(chainsi_terminal_of(fd).unicode);
    setenv("LC_ALL", "C.UTF-8", 1);
    assert_true(chainsi_terminal_of(fd).unicode);
    setenv("LC_ALL", "", 1);
    setenv("LC_CTYPE", "en_US.utf8", 1);
    assert_true(chainsi_terminal_of(fd).unicode);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_obeyed),     cmocka_unit_test(pieces_of_text),
        cmocka_unit_test(the_same_from_any_cut), cmocka_unit_test(cells),
        cmocka_unit_test(what_a_terminal_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
