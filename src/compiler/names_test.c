/* Names that are taken, and the nearest to a misspelt one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compiler/reader.h"

static void test_taken(void **state)
{
    (void)state;
    assert_string_equal(chainsi_names_taken("index"), "<strings.h>");
    assert_string_equal(chainsi_names_taken("printf"), "<stdio.h>");
    assert_string_equal(chainsi_names_taken("y1"), "<math.h>");
    assert_string_equal(chainsi_names_taken("class"), "a keyword of C++");
    assert_string_equal(chainsi_names_taken("register"), "a keyword of C");
    assert_string_equal(chainsi_names_taken("std"), "C++'s namespace");
    static const char *const free_names[] = { "speech", "phi_llm", "indexes", "inde",
                                              "e_",     "",        "print",   "f print" };
    for (size_t i = 0; i < sizeof free_names / sizeof *free_names; i++)
        assert_null(chainsi_names_taken(free_names[i]));
    assert_true(chainsi_names_keyword("new"));
    assert_false(chainsi_names_keyword("index"));
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const known[] = { "retries", "timeout_ms", "cpu", "memory", "near" };
    const size_t count = sizeof known / sizeof *known;
    assert_string_equal(chainsi_names_nearest("retires", known, count), "retries");
    assert_string_equal(chainsi_names_nearest("memroy", known, count), "memory");
    assert_string_equal(chainsi_names_nearest("timeout", known, count), "timeout_ms");
    assert_string_equal(chainsi_names_nearest("cpus", known, count), "cpu");
    assert_null(chainsi_names_nearest("zzzzzz", known, count));
    assert_null(chainsi_names_nearest("retries", known, 0));
    static const char long_name[] =
        "a_name_that_is_longer_than_any_that_is_measured_here_so_that_it_"
        "has_none_near";
    assert_null(chainsi_names_nearest(long_name, known, count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
