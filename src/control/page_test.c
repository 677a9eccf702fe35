/* Which form of a file a client takes, and whether it has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "control/page.h"

const chainsi_page_file chainsi_page_files[] = { { 0 } };

static void test_gzip(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool taken;
    } cases[] = {
        { "gzip", true },
        { "GZIP", true },
        { "deflate, gzip, br", true },
        { "br;q=1.0, gzip;q=0.8", true },
        { "gzip ; q=0.001", true },
        { "*", true },
        { "br, *;q=0.1", true },
        { "", false },
        { "identity", false },
        { "deflate", false },
        { "gzip;q=0", false },
        { "gzip;Q=0.000", false },
        { "*, gzip;q=0", false },
        { "gzip;q=0, *", false },
        { "*;q=0", false },
        { "x-gzip-not", false },
        { ",;,", false },
    };
    assert_false(chainsi_page_takes_gzip(NULL));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (chainsi_page_takes_gzip(&(chainsi_slice){ cases[i].header, strlen(cases[i].header) }) !=
            cases[i].taken)
            fail_msg("%s", cases[i].header);
}

static void test_tags(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool named;
    } cases[] = {
        { "\"abc\"", true },
        { "W/\"abc\"", true },
        { "\"x\", \"abc\"", true },
        { "\"x\" ,\t\"abc\"", true },
        { "*", true },
        { "", false },
        { "abc", false },
        { "\"ab\"", false },
        { "\"abc-gzip\"", false },
        { "\"abcd\"", false },
        { "W/", false },
        { ",,", false },
    };
    assert_false(chainsi_page_matches(NULL, "\"abc\""));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (chainsi_page_matches(&(chainsi_slice){ cases[i].header, strlen(cases[i].header) },
                                 "\"abc\"") != cases[i].named)
            fail_msg("%s", cases[i].header);
}

static void test_paths(void **state)
{
    (void)state;
    assert_true(chainsi_page_has((const char *[]){ "" }, 1));
    assert_true(chainsi_page_has((const char *[]){ "page", "x.js" }, 2));
    assert_true(chainsi_page_has((const char *[]){ "page", "" }, 2));
    assert_false(chainsi_page_has((const char *[]){ "page" }, 1));
    assert_false(chainsi_page_has((const char *[]){ "page", "x", "y" }, 3));
    assert_false(chainsi_page_has((const char *[]){ "", "x" }, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
