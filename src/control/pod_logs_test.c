/* Lines as the API server gives them. Whole ones, of pods that are there, are tests/kubernetes/pod_logs_test.py's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/pod_logs.h"

static void lines_have_a_time(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int64_t at_ns; /* -1: it is none */
        const char *text;
    } cases[] = {
        { "1970-01-01T00:00:00Z x", 0, "x" },
        { "2026-01-31T12:00:00.123456789Z hello, you", 1769860800123456789, "hello, you" },
        { "2026-01-31T12:00:00.12Z  two blanks", 1769860800120000000, " two blanks" },
        { "2026-01-31T13:00:00.5+01:00 x", 1769860800500000000, "x" },
        { "2026-01-31T06:30:00-05:30 x", 1769860800000000000, "x" },
        { "2026-01-31T12:00:00.1234567891Z more than is counted", 1769860800123456789,
          "more than is counted" },
        { "2026-01-31T12:00:00Z", 1769860800000000000, "" },
        { "2026-01-31T12:00:00Z ", 1769860800000000000, "" },
        { "2026-01-31T12:00:00 x", -1, NULL },
        { "2026-01-31T12:00:00Zx", -1, NULL },
        { "2026-01-31T12:00:00+1:00 x", -1, NULL },
        { "2026-01-31 12:00:00Z x", -1, NULL },
        { "1969-12-31T23:59:59Z x", -1, NULL },
        { "9999-12-31T23:59:59Z x", -1, NULL },
        { "failed to open log file", -1, NULL },
        { "2026-01-31T12:00", -1, NULL },
        { "", -1, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t at_ns = -1;
        chainsi_slice text = { NULL, 0 };
        bool good = chainsi_pod_logs_read_line(cases[i].line, strlen(cases[i].line), &at_ns, &text);
        if (good != (cases[i].at_ns >= 0) || at_ns != cases[i].at_ns)
            fail_msg("%s: %lld", cases[i].line, (long long)at_ns);
        if (good && !chainsi_slice_is(text, cases[i].text))
            fail_msg("%s: '%.*s'", cases[i].line, (int)text.size, text.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_have_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
