/* What a terminal is shown, from any cut of a text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/shown.h"

static void hides_what_a_terminal_obeys(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
        bool json;
    } cases[] = {
        { "plain\ttext\n", "plain\ttext\n", false },
        { "\x1b[31m", "\\x1b[31m", false },
        { "\x1b]0;x\x07", "\\x1b]0;x\\x07", false },
        { "10%\r20%\b\x7f", "10%\\x0d20%\\x08\\x7f", false },
        { "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
          false },
        { "\xc2\x9b"
          "31m \xc2\xa0",
          "\\x9b"
          "31m \xc2\xa0",
          false }, /* U+009B is a CSI, too */
        { "\x9b"
          "31m \xff",
          "\\x9b"
          "31m \\xff",
          false },
        { "\xc2x", "\\xc2x", false },
        { "\"\xc2\x9b\x7f\"", "\"\\u009b\\u007f\"", true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step <= strlen(cases[i].text); step++) {
            chainsi_shown shown = { .json = cases[i].json };
            chainsi_buffer out = { 0 };
            size_t size = strlen(cases[i].text);
            for (size_t at = 0; at < size; at += step)
                chainsi_shown_add(&shown, cases[i].text + at, size - at < step ? size - at : step,
                                  &out);
            chainsi_buffer_add_byte(&out, 0);
            assert_string_equal((const char *)out.data, cases[i].shown);
            chainsi_buffer_done(&out);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(hides_what_a_terminal_obeys) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
