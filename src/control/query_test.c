/* Queries, as clients write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/query.h"

static chainsi_slice slice(const char *text)
{
    return (chainsi_slice){ text, strlen(text) };
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        bool good;
        double number; /* 7 before */
    } cases[] = {
        { "", true, 7 },
        { "n=0", true, 0 },
        { "n=2.5", true, 2.5 },
        { "n=100", true, 100 },
        { "n=100.1", false, 7 },
        { "n=-1", false, 7 },
        { "n=", false, 7 },
        { "n=1e1", false, 7 },
        { "n=nan", false, 7 },
        { "n=0x1", false, 7 },
        { "n=1.2.3", false, 7 },
        { "n=.", false, 7 },
        { "n=1%30", false, 7 },
        { "n= 1", false, 7 },
        { "n=00000000000000000000000000000000000000001", false, 7 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double number = 7;
        assert_true(chainsi_query_double(slice(cases[i].query), "n", 100, &number) ==
                    cases[i].good);
        assert_true(number == cases[i].number);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(numbers) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
