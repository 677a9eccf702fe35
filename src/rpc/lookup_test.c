/* What the system knows of names; nothing here leaves the machine but a name that can't exist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "rpc/lookup.h"

static void test_numbers(void **state)
{
    (void)state;
    static const char *const numbers[] = { "127.0.0.1", "10.0.0.255", "::1", "fe80::1", "0.0.0.0" };
    static const char *const names[] = { "localhost", "a.example", "1.example", "", "10.0.0.256" };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        assert_true(chainsi_lookup_is_number(numbers[i]));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_false(chainsi_lookup_is_number(names[i]));
}

static void test_the_systems_names(void **state)
{
    (void)state;
    static chainsi_found found;
    char why[256] = "";
    assert_true(chainsi_lookup_system(NULL, "127.0.0.2", 80, &found, why, sizeof why));
    assert_int_equal(found.count, 1);
    assert_string_equal(found.all[0].host, "127.0.0.2");
    assert_int_equal(found.all[0].port, 80);
    assert_true(chainsi_lookup_system(NULL, "localhost", 4711, &found, why, sizeof why));
    assert_in_range(found.count, 1, 2);
    for (int i = 0; i < found.count; i++) {
        assert_true(chainsi_lookup_is_number(found.all[i].host));
        assert_int_equal(found.all[i].port, 4711);
    }
    assert_false(chainsi_lookup_system(NULL, "nobody.invalid", 80, &found, why, sizeof why));
    assert_ptr_equal(strstr(why, "cannot find the host 'nobody.invalid': "), why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_the_systems_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
