/* Who may do what: without keys, with keys, and with the home's token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/gate.h"

/* A store of keys as a test knows it. */
typedef struct keys {
    bool any;
    chainsi_verdict verdict;
    int asked;
} keys;

static bool has_keys(void *user)
{
    return ((keys *)user)->any;
}

static chainsi_verdict judge(void *user, const chainsi_http_request *request, chainsi_right right,
                             const char *chain)
{
    keys *it = user;
    assert_non_null(request);
    assert_int_equal(right, CHAINSI_RIGHT_DEPLOY);
    assert_string_equal(chain, "x");
    it->asked++;
    return it->verdict;
}

static chainsi_verdict ask(const chainsi_gate *gate, bool has_token, bool changes)
{
    static const chainsi_http_request request;
    return chainsi_gate_judge(gate, has_token, &request, CHAINSI_RIGHT_DEPLOY, changes, "x");
}

static void test_without_keys(void **state)
{
    (void)state;
    keys none = { .verdict = CHAINSI_VERDICT_NO };
    const chainsi_gate gates[] = { { 0 }, { .has_keys = has_keys, .judge = judge, .user = &none } };
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask(&gates[i], false, false), CHAINSI_VERDICT_YES);
        assert_int_equal(ask(&gates[i], false, true), CHAINSI_VERDICT_WHO);
        assert_int_equal(ask(&gates[i], true, true), CHAINSI_VERDICT_YES);
        assert_false(chainsi_gate_has_keys(&gates[i]));
    }
    assert_int_equal(none.asked, 0);
}

static void test_with_keys(void **state)
{
    (void)state;
    keys some = { .any = true };
    const chainsi_gate gate = { .has_keys = has_keys, .judge = judge, .user = &some };
    static const chainsi_verdict verdicts[] = { CHAINSI_VERDICT_YES, CHAINSI_VERDICT_WHO,
                                                CHAINSI_VERDICT_NO };
    for (int i = 0; i < 3; i++) {
        some.verdict = verdicts[i];
        assert_int_equal(ask(&gate, false, false), verdicts[i]);
        assert_int_equal(ask(&gate, false, true), verdicts[i]);
        assert_int_equal(ask(&gate, true, true), CHAINSI_VERDICT_YES);
    }
    assert_int_equal(some.asked, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_keys),
        cmocka_unit_test(test_with_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
