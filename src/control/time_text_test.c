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

static void reads_times(void **state)
{
    (void)state;
    const int64_t times[] = {
        0, 1, 999, 1000, INT64_C(951782400000), INT64_C(1800000000123), INT64_C(253402300799999)
    };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        char text[CHAINSI_TIME_TEXT];
        int64_t read = -1;
        chainsi_time_text_of(text, times[i]);
        assert_true(chainsi_time_text_parse(text, &read));
        assert_true(read == times[i]);
    }
    const char *const wrong[] = {
        "",
        "2027-01-15",
        "2027-01-15T08:00:00.123",
        "2027-01-15T08:00:00.123Zx",
        "2027-01-15 08:00:00.123Z",
        "2027-13-15T08:00:00.123Z",
        "2027-02-30T08:00:00.123Z",
        "2027-01-15T24:00:00.123Z",
        "2027-01-15T08:00:60.123Z",
        "2027-1-15T08:00:00.123Z",
        "2027-01-15T08:00:00.12Z",
        " 027-01-15T08:00:00.123Z",
        "-027-01-15T08:00:00.123Z",
        "1969-12-31T23:59:59.999Z",
        "99999999999999999999999999",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int64_t read = -1;
        if (chainsi_time_text_parse(wrong[i], &read) || read != -1)
            fail_msg("'%s'", wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(writes_times),
                                        cmocka_unit_test(reads_times) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
