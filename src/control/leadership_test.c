/* The rules of leading, with a clock of the test's own. */
#include "control/leadership.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "schema/json.h"

#define MS CHAINSI_NS_PER_MS
#define S  (1000 * MS)

static chainsi_lease_record record(const char *holder, const char *renewed, int64_t duration_s)
{
    chainsi_lease_record it = { .duration_s = duration_s, .version = "7" };
    snprintf(it.holder, sizeof it.holder, "%s", holder);
    snprintf(it.renewed, sizeof it.renewed, "%s", renewed);
    return it;
}

static chainsi_leadership candidate(const char *identity)
{
    return (chainsi_leadership){ .identity = identity, .times = { 15000, 10000, 2000 } };
}

static void see(chainsi_leadership *it, const char *holder, const char *renewed, int64_t duration_s,
                int64_t now_ns)
{
    chainsi_lease_record seen = record(holder, renewed, duration_s);
    chainsi_leadership_see(it, &seen, now_ns);
}

static void test_nobody_has_it(void **state)
{
    (void)state;
    chainsi_leadership it = candidate("a");
    chainsi_leadership_see(&it, NULL, 5 * S);
    assert_true(chainsi_leadership_may_take(&it, 5 * S));
    see(&it, "", "x", 1, 6 * S); /* given up */
    assert_true(chainsi_leadership_may_take(&it, 6 * S));
    assert_int_equal(chainsi_leadership_end_ns(&it), 0);
}

/* What counts is for how long the record hasn't changed, whatever time it tells. */
static void test_others_have_it_until_it_does_not_change(void **state)
{
    (void)state;
    chainsi_leadership it = candidate("a");
    see(&it, "b", "1970-01-01T00:00:00.000000Z", 15, 100 * S);
    assert_false(chainsi_leadership_may_take(&it, 100 * S));
    assert_false(chainsi_leadership_may_take(&it, 115 * S - 1));
    assert_true(chainsi_leadership_may_take(&it, 115 * S));
    see(&it, "b", "1970-01-01T00:00:00.000000Z", 15, 110 * S);
    assert_true(chainsi_leadership_may_take(&it, 115 * S));
    see(&it, "b", "2999-01-01T00:00:00.000000Z", 15, 114 * S);
    assert_false(chainsi_leadership_may_take(&it, 129 * S - 1));
    assert_true(chainsi_leadership_may_take(&it, 129 * S));
    /* Another holder is a change, too, and so are transitions. */
    see(&it, "c", "2999-01-01T00:00:00.000000Z", 15, 129 * S);
    assert_false(chainsi_leadership_may_take(&it, 130 * S));
}

static void test_the_holders_duration_counts(void **state)
{
    (void)state;
    static const struct {
        int64_t says, holds;
    } cases[] = { { 1, 1 }, { 60, 60 }, { 3600, 3600 }, { 3601, 15 }, { 0, 15 }, { -5, 15 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_leadership it = candidate("a");
        see(&it, "b", "x", cases[i].says, 100 * S);
        assert_false(chainsi_leadership_may_take(&it, (100 + cases[i].holds) * S - 1));
        assert_true(chainsi_leadership_may_take(&it, (100 + cases[i].holds) * S));
    }
}

/* Whoever deletes the object doesn't make its holder stop, who may have renewed it up to that moment. */
static void test_a_lease_that_is_gone_still_holds(void **state)
{
    (void)state;
    chainsi_leadership it = candidate("a");
    see(&it, "b", "x", 15, 100 * S);
    chainsi_leadership_see(&it, NULL, 116 * S); /* nothing was seen meanwhile */
    assert_false(chainsi_leadership_may_take(&it, 116 * S));
    chainsi_leadership_see(&it, NULL, 118 * S);
    assert_false(chainsi_leadership_may_take(&it, 131 * S - 1));
    assert_true(chainsi_leadership_may_take(&it, 131 * S));
}

/* Who leads stops before anybody else may begin, however long the answer took. */
static void test_no_two_lead(void **state)
{
    (void)state;
    for (int64_t delay = 0; delay < 9 * S; delay += 500 * MS) {
        chainsi_leadership a = candidate("a"), b = candidate("b");
        chainsi_lease_record won = record("a", "x", 15);
        int64_t sent = 100 * S, written = sent + delay / 2;
        chainsi_leadership_won(&a, &won, sent, sent + delay);
        chainsi_leadership_see(&b, &won, written); /* at the earliest */
        assert_true(a.leads);
        assert_int_equal(chainsi_leadership_end_ns(&a), sent + 10 * S);
        assert_false(chainsi_leadership_may_take(&b, chainsi_leadership_end_ns(&a) + 5 * S - 1));
    }
}

static void test_a_leader_that_is_replaced(void **state)
{
    (void)state;
    chainsi_leadership it = candidate("a");
    chainsi_lease_record own = record("a", "x", 15);
    chainsi_leadership_won(&it, &own, 100 * S, 101 * S);
    assert_true(chainsi_leadership_may_take(&it, 200 * S));
    see(&it, "b", "y", 15, 102 * S);
    assert_false(it.leads);
    assert_int_equal(chainsi_leadership_end_ns(&it), 0);
    /* That it is its own again needs a request of its own. */
    see(&it, "a", "z", 15, 103 * S);
    assert_false(it.leads);
}

static void test_objects(void **state)
{
    (void)state;
    static const char whole[] =
        "{\"apiVersion\":\"coordination.k8s.io/"
        "v1\",\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"12\"},"
        "\"spec\":{\"holderIdentity\":\"me\",\"leaseDurationSeconds\":15,\"acquireTime\":null,"
        "\"renewTime\":\"2026-01-31T12:00:00.000000Z\",\"leaseTransitions\":3}}";
    static const char bare[] = "{\"metadata\":{\"resourceVersion\":\"1\"}}";
    static const char *const bad[] = { "",
                                       "[]",
                                       "{}",
                                       "{\"metadata\":{}}",
                                       "{\"metadata\":{\"resourceVersion\":\"\"}}",
                                       "{\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":[]}" };
    chainsi_lease_record it;
    assert_true(chainsi_lease_read(whole, sizeof whole - 1, &it));
    assert_string_equal(it.holder, "me");
    assert_string_equal(it.renewed, "2026-01-31T12:00:00.000000Z");
    assert_string_equal(it.version, "12");
    assert_int_equal(it.duration_s, 15);
    assert_int_equal(it.transitions, 3);
    assert_true(chainsi_lease_read(bare, sizeof bare - 1, &it));
    assert_string_equal(it.holder, "");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(chainsi_lease_read(bad[i], strlen(bad[i]), &it));
}

static void check_body(chainsi_buffer *body, const char *expected)
{
    chainsi_buffer_add_byte(body, '\0');
    assert_string_equal((char *)body->data, expected);
    chainsi_buffer_done(body);
}

static void test_bodies(void **state)
{
    (void)state;
    chainsi_leadership it = candidate("a");
    chainsi_buffer body = { 0 };
    chainsi_leadership_write_new(&it, "chainsd", 1769860800123, &body);
    check_body(&body, "{\"apiVersion\":\"coordination.k8s.io/"
                      "v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":\"chainsd\"},"
                      "\"spec\":{\"holderIdentity\":\"a\",\"leaseDurationSeconds\":15,"
                      "\"renewTime\":\"2026-01-31T12:00:00.123000Z\","
                      "\"acquireTime\":\"2026-01-31T12:00:00.123000Z\",\"leaseTransitions\":0}}");
    see(&it, "b", "x", 15, 0);
    it.seen.transitions = 4;
    chainsi_leadership_write_patch(&it, 0, &body);
    check_body(&body, "{\"metadata\":{\"resourceVersion\":\"7\"},\"spec\":{\"holderIdentity\":"
                      "\"a\",\"leaseDurationSeconds\":15,"
                      "\"renewTime\":\"1970-01-01T00:00:00.000000Z\",\"acquireTime\":\"1970-01-"
                      "01T00:00:00.000000Z\",\"leaseTransitions\":5}}");
    see(&it, "a", "x", 15, 0);
    chainsi_leadership_write_patch(&it, 0, &body);
    check_body(&body, "{\"metadata\":{\"resourceVersion\":\"7\"},\"spec\":{\"holderIdentity\":"
                      "\"a\",\"leaseDurationSeconds\":15,"
                      "\"renewTime\":\"1970-01-01T00:00:00.000000Z\"}}");
    chainsi_leadership_write_release(&it, 0, &body);
    check_body(&body, "{\"metadata\":{\"resourceVersion\":\"7\"},\"spec\":{\"holderIdentity\":\"\","
                      "\"leaseDurationSeconds\":1,"
                      "\"renewTime\":\"1970-01-01T00:00:00.000000Z\"}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_has_it),
        cmocka_unit_test(test_others_have_it_until_it_does_not_change),
        cmocka_unit_test(test_the_holders_duration_counts),
        cmocka_unit_test(test_a_lease_that_is_gone_still_holds),
        cmocka_unit_test(test_no_two_lead),
        cmocka_unit_test(test_a_leader_that_is_replaced),
        cmocka_unit_test(test_objects),
        cmocka_unit_test(test_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
