/* Who may do what: nobody, strangers, keys of each scope and the owner, without and with keys. */
#include "store_test_support.h"

#include "control/gate.h"
#include "control/home.h"

static const char token[] = "0123456789abcdef0123456789abcdef";
static chainsi_gate gate;
static chainsi_exchange exchange;

static int make_gate(void **state)
{
    if (make_store(state) != 0)
        return -1;
    gate = (chainsi_gate){ chainsi_keyring_new(store, why, sizeof why), token };
    return gate.keyring ? 0 : -1;
}

static int free_gate(void **state)
{
    chainsi_arena_done(&exchange.arena);
    close_store();
    chainsi_keyring_free(gate.keyring);
    return remove_home(state);
}

/* A key that the ring has. */
static const char *make_key(chainsi_scope scope, const char *chain)
{
    chainsi_new_key made;
    assert_true(chainsi_key_make(&made));
    chainsi_keyring_add(gate.keyring, &(chainsi_stored_key){
                                          .id = made.id,
                                          .scope = scope,
                                          .chain = chain,
                                          .digest = { made.digest, sizeof made.digest },
                                      });
    return chainsi_arena_strdup(&arena, made.text);
}

/* A request with that in its Authorization header; NULL: without one. */
static const chainsi_caller *enter(const char *scheme, const char *text)
{
    const char *value = text ? chainsi_arena_printf(&arena, "%s %s", scheme, text) : NULL;
    memset(&exchange.request, 0, sizeof exchange.request);
    chainsi_http_header *header = exchange.request.head.headers;
    header->name = (chainsi_slice){ "Authorization", strlen("Authorization") };
    if (value)
        header->value = (chainsi_slice){ value, strlen(value) };
    exchange.request.head.header_count = value != NULL;
    assert_true(chainsi_gate_enter(&gate, &exchange));
    return exchange.caller;
}

/* What it may: a letter for each scope in which it may do something unguarded with the chain, in
 * capitals if guarded, too. */
static const char *rights(const char *chain)
{
    static char text[4];
    size_t used = 0;
    for (int scope = CHAINSI_SCOPE_CALL; scope <= CHAINSI_SCOPE_ADMIN; scope++) {
        bool open = chainsi_gate_allows(&gate, &exchange, (chainsi_scope)scope, false, chain);
        bool guarded = chainsi_gate_allows(&gate, &exchange, (chainsi_scope)scope, true, chain);
        assert_true(open || !guarded);
        if (open)
            text[used++] = (guarded ? "CDA" : "cda")[scope];
    }
    text[used] = 0;
    return text;
}

static void without_keys_all_is_open_but_what_is_guarded(void **state)
{
    (void)state;
    assert_false(chainsi_gate_has_keys(&gate));
    assert_int_equal(enter(NULL, NULL)->kind, CHAINSI_CALLER_NOBODY);
    assert_string_equal(rights("x"), "cda");
    assert_int_equal(enter("Bearer", "something")->kind, CHAINSI_CALLER_STRANGER);
    assert_string_equal(rights("x"), "cda");
    assert_int_equal(enter("Bearer", token)->kind, CHAINSI_CALLER_OWNER);
    assert_string_equal(rights("x"), "CDA");
    assert_string_equal(rights(CHAINSI_EVERY_CHAIN), "CDA");
}

static void with_keys_each_has_its_scope(void **state)
{
    (void)state;
    static const char *const expected[] = { "C", "CD", "CDA" };
    for (int scope = CHAINSI_SCOPE_CALL; scope <= CHAINSI_SCOPE_ADMIN; scope++) {
        const char *key = make_key((chainsi_scope)scope, NULL);
        const chainsi_caller *caller = enter(scope ? "Api-Key" : "bearer", key);
        assert_int_equal(caller->kind, CHAINSI_CALLER_KEY);
        assert_memory_equal(caller->id, key + strlen(CHAINSI_KEY_PREFIX), CHAINSI_KEY_ID);
        assert_string_equal(rights("x"), expected[scope]);
        assert_string_equal(rights(NULL), expected[scope]);
        assert_string_equal(rights(CHAINSI_EVERY_CHAIN), expected[scope]);
    }
    assert_true(chainsi_gate_has_keys(&gate));
    enter(NULL, NULL);
    assert_string_equal(rights("x"), "");
    assert_int_equal(enter("Basic", token)->kind, CHAINSI_CALLER_STRANGER);
    assert_string_equal(rights("x"), "");
    assert_int_equal(enter("Bearer", "0123456789abcdef0123456789abcdeg")->kind,
                     CHAINSI_CALLER_STRANGER);
    assert_string_equal(rights(NULL), "");
    enter("Api-Key", token);
    assert_string_equal(rights(CHAINSI_EVERY_CHAIN), "CDA");
}

static void a_key_for_one_chain_is_for_that_alone(void **state)
{
    (void)state;
    const char *key = make_key(CHAINSI_SCOPE_ADMIN, "x");
    assert_string_equal(enter("Bearer", key)->chain, "x");
    assert_string_equal(rights("x"), "CDA");
    assert_string_equal(rights("y"), "");
    assert_string_equal(rights(NULL), "CDA"); /* with whichever it is for */
    assert_string_equal(rights(CHAINSI_EVERY_CHAIN), "");

    /* The caller outlives the key, until somebody ends it. */
    const chainsi_caller *caller = exchange.caller;
    assert_true(chainsi_keyring_revoke(gate.keyring, caller->id));
    assert_string_equal(caller->chain, "x");
    assert_int_equal(enter("Bearer", key)->kind, CHAINSI_CALLER_STRANGER);
    assert_string_equal(rights("x"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_keys_all_is_open_but_what_is_guarded, make_gate,
                                        free_gate),
        cmocka_unit_test_setup_teardown(with_keys_each_has_its_scope, make_gate, free_gate),
        cmocka_unit_test_setup_teardown(a_key_for_one_chain_is_for_that_alone, make_gate,
                                        free_gate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
