/* Counting connections of clients, at the limit and one past it. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "control/guests.h"

static chainsi_guest guest_at(const char *text)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return chainsi_guest_of((struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return chainsi_guest_of((struct sockaddr *)&v6);
}

static bool is_same(const char *left, const char *right)
{
    chainsi_guest a = guest_at(left), b = guest_at(right);
    return memcmp(&a, &b, sizeof a) == 0;
}

static void test_who_is_one(void **state)
{
    (void)state;
    assert_true(is_same("192.0.2.1", "192.0.2.1"));
    assert_false(is_same("192.0.2.1", "192.0.2.2"));
    assert_true(is_same("192.0.2.1", "::ffff:192.0.2.1"));
    assert_false(is_same("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
    assert_true(is_same("2001:db8::1", "2001:db8::ffff:1"));
    assert_false(is_same("2001:db8::1", "2001:db8:0:1::1"));
    assert_false(is_same("::1", "127.0.0.1"));
}

static void test_limit(void **state)
{
    (void)state;
    chainsi_guests *guests = chainsi_guests_new(3);
    chainsi_guest one = guest_at("192.0.2.1"), other = guest_at("2001:db8::1");
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++)
            assert_true(chainsi_guests_enter(guests, one));
        assert_false(chainsi_guests_enter(guests, one));
        assert_true(chainsi_guests_enter(guests, other));
        assert_int_equal(chainsi_guests_count(guests), 2);
        chainsi_guests_leave(guests, one);
        assert_true(chainsi_guests_enter(guests, one));
        assert_false(chainsi_guests_enter(guests, one));
        for (int i = 0; i < 3; i++)
            chainsi_guests_leave(guests, one);
        chainsi_guests_leave(guests, other);
        assert_int_equal(chainsi_guests_count(guests), 0);
    }
    chainsi_guests_free(guests);
}

static void test_many(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    chainsi_guests *guests = chainsi_guests_new(1);
    for (uint32_t i = 0; i < MANY; i++) {
        struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(i * 256) };
        chainsi_guest guest = chainsi_guest_of((struct sockaddr *)&v4);
        assert_true(chainsi_guests_enter(guests, guest));
        assert_false(chainsi_guests_enter(guests, guest));
    }
    assert_int_equal(chainsi_guests_count(guests), MANY);
    for (uint32_t i = 0; i < MANY; i += 2) {
        struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(i * 256) };
        chainsi_guests_leave(guests, chainsi_guest_of((struct sockaddr *)&v4));
    }
    assert_int_equal(chainsi_guests_count(guests), MANY / 2);
    chainsi_guests_free(guests); /* with entries left */
    chainsi_guests_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_one),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
