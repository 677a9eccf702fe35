/* What the system knows of names; nothing here leaves the machine but a name that can't exist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
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
    chainsi_found found = { 0 };
    char why[256] = "";
    assert_true(chainsi_lookup_system(NULL, "127.0.0.2", 80, &found, why, sizeof why));
    assert_int_equal(found.count, 1);
    assert_string_equal(found.all[0].host, "127.0.0.2");
    assert_int_equal(found.all[0].port, 80);
    chainsi_found_done(&found);
    assert_true(chainsi_lookup_system(NULL, "localhost", 4711, &found, why, sizeof why));
    assert_in_range(found.count, 1, 2);
    for (int i = 0; i < found.count; i++) {
        assert_true(chainsi_lookup_is_number(found.all[i].host));
        assert_int_equal(found.all[i].port, 4711);
    }
    chainsi_found_done(&found);
    assert_false(chainsi_lookup_system(NULL, "nobody.invalid", 80, &found, why, sizeof why));
    assert_ptr_equal(strstr(why, "cannot find the host 'nobody.invalid': "), why);
}

static void test_addresses_in_order(void **state)
{
    (void)state;
    chainsi_found one = { 0 }, other = { 0 };
    chainsi_found_sort(&one);
    assert_true(chainsi_found_equal(&one, &other));
    assert_int_equal(chainsi_found_find(&one, "10.0.0.1", 80), -1);
    for (int i = 0; i < 300; i++) {
        char host[CHAINSI_LOOKUP_HOST];
        snprintf(host, sizeof host, "10.0.%d.1", i % 100);
        chainsi_found_add(&one, host, (uint16_t)(80 + i / 200)); /* the first hundred twice */
        snprintf(host, sizeof host, "10.0.%d.1", (299 - i) % 100);
        chainsi_found_add(&other, host, (uint16_t)(80 + (299 - i) / 200));
    }
    chainsi_found_sort(&one);
    chainsi_found_sort(&other);
    assert_int_equal(one.count, 200);
    assert_true(chainsi_found_equal(&one, &other));
    for (int i = 0; i < one.count; i++)
        assert_int_equal(chainsi_found_find(&one, one.all[i].host, one.all[i].port), i);
    assert_int_equal(chainsi_found_find(&one, "10.0.1.1", 82), -1);
    assert_int_equal(chainsi_found_find(&one, "10.0.1.2", 80), -1);
    chainsi_found_add(&other, "10.0.1.2", 80);
    assert_false(chainsi_found_equal(&one, &other));
    while (other.count < CHAINSI_LOOKUP_MOST)
        chainsi_found_add(&other, "10.0.1.2", 80);
    chainsi_found_add(&other, "10.0.1.2", 80);
    assert_int_equal(other.count, CHAINSI_LOOKUP_MOST);
    chainsi_found_done(&one);
    chainsi_found_done(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_the_systems_names),
        cmocka_unit_test(test_addresses_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
