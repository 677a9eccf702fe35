/* Times as text: their form, their ends, and that they sort. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/time_text.h"

static void writes_times(void **state)
{
    (void)state;
    const struct {
        int64_t unix_ms;
        const char *text;
    } cases[] = {
        { INT64_MIN, "1970-01-01T00:00:00.000Z" },
        { -1, "1970-01-01T00:00:00.000Z" },
        { 0, "1970-01-01T00:00:00.000Z" },
        { 1, "1970-01-01T00:00:00.001Z" },
        { 999, "1970-01-01T00:00:00.999Z" },
        { 1000, "1970-01-01T00:00:01.000Z" },
        { INT64_C(951782400000), "2000-02-29T00:00:00.000Z" },
        { INT64_C(1800000000123), "2027-01-15T08:00:00.123Z" },
        { INT64_C(253402300799999), "9999-12-31T23:59:59.999Z" },
        { INT64_C(253402300800000), "9999-12-31T23:59:59.999Z" },
        { INT64_MAX, "9999-12-31T23:59:59.999Z" },
    };
    char before[CHAINSI_TIME_TEXT] = "";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[CHAINSI_TIME_TEXT];
        chainsi_time_text_of(text, cases[i].unix_ms);
        assert_string_equal(text, cases[i].text);
        assert_true(strcmp(before, text) <= 0);
        memcpy(before, text, sizeof before);
    }
    char now[CHAINSI_TIME_TEXT];
    chainsi_time_text(now);
    assert_true(strcmp(now, "2024") > 0);
    assert_int_equal(strlen(now), CHAINSI_TIME_TEXT - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(writes_times) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
