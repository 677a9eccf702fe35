/* Keys: their form, headers, scopes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/keys.h"

static chainsi_slice slice(const char *text)
{
    return (chainsi_slice){ text, strlen(text) };
}

static void makes_keys_that_match_themselves_alone(void **state)
{
    (void)state;
    chainsi_new_key key, other;
    char id[CHAINSI_KEY_ID + 1];
    assert_true(chainsi_key_make(&key));
    assert_true(chainsi_key_make(&other));
    assert_int_equal(strlen(key.text), CHAINSI_KEY_SIZE);
    assert_int_equal(strncmp(key.text, "chains_", 7), 0);
    assert_string_not_equal(key.text, other.text);
    assert_string_not_equal(key.id, other.id);
    assert_true(chainsi_key_id(slice(key.text), id));
    assert_string_equal(id, key.id);
    assert_true(chainsi_key_matches(slice(key.text), key.digest));
    assert_false(chainsi_key_matches(slice(other.text), key.digest));
    for (size_t i = 0; i < CHAINSI_KEY_SIZE; i++) {
        key.text[i] ^= 1;
        assert_false(chainsi_key_matches(slice(key.text), key.digest));
        key.text[i] ^= 1;
    }
    chainsi_key_erase(&key);
    for (size_t i = 0; i < sizeof key; i++)
        assert_int_equal(((unsigned char *)&key)[i], 0);
}

static void knows_a_key_by_its_form(void **state)
{
    (void)state;
    chainsi_new_key key;
    char id[CHAINSI_KEY_ID + 1];
    assert_true(chainsi_key_make(&key));
    assert_false(chainsi_key_id(slice(""), id));
    assert_false(chainsi_key_id((chainsi_slice){ key.text, CHAINSI_KEY_SIZE - 1 }, id));
    assert_false(chainsi_key_id((chainsi_slice){ key.text, CHAINSI_KEY_SIZE + 1 }, id));
    for (size_t i = 0; i < CHAINSI_KEY_SIZE; i++) {
        const char wrong[] = { 'x', 'F', 0, '/', (char)0xff };
        char before = key.text[i];
        for (size_t j = 0; j < sizeof wrong; j++) {
            key.text[i] = wrong[j];
            assert_false(chainsi_key_id((chainsi_slice){ key.text, CHAINSI_KEY_SIZE }, id));
        }
        key.text[i] = before;
    }
    assert_true(chainsi_key_id(slice(key.text), id));
}

static void reads_headers(void **state)
{
    (void)state;
    const struct {
        const char *value, *text; /* text NULL: it is refused */
    } cases[] = {
        { "Bearer abc", "abc" },
        { "bearer abc", "abc" },
        { "BEARER   abc", "abc" },
        { "Api-Key abc", "abc" },
        { "api-key abc def", "abc def" },
        { "", NULL },
        { "Bearer", NULL },
        { "Bearer ", NULL },
        { "Bearer    ", NULL },
        { "Basic abc", NULL },
        { "abc", NULL },
        { "BearerX abc", NULL },
        { "Api-Keyabc", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_slice text = { 0 };
        bool taken = chainsi_key_from_header(slice(cases[i].value), &text);
        assert_int_equal(taken, cases[i].text != NULL);
        if (taken)
            assert_true(chainsi_slice_is(text, cases[i].text));
    }
}

static void orders_scopes(void **state)
{
    (void)state;
    const chainsi_scope scopes[] = { CHAINSI_SCOPE_CALL, CHAINSI_SCOPE_DEPLOY,
                                     CHAINSI_SCOPE_ADMIN };
    for (size_t i = 0; i < 3; i++) {
        chainsi_scope scope;
        assert_true(chainsi_scope_from_name(chainsi_scope_name(scopes[i]), &scope));
        assert_int_equal(scope, scopes[i]);
        for (size_t j = 0; j < 3; j++)
            assert_int_equal(chainsi_scope_permits(scopes[i], scopes[j]), j <= i);
    }
    chainsi_scope scope = CHAINSI_SCOPE_CALL;
    assert_false(chainsi_scope_from_name("Admin", &scope));
    assert_false(chainsi_scope_from_name("", &scope));
    assert_int_equal(scope, CHAINSI_SCOPE_CALL);
}

/* The digest of "abc" is the standard's example. */
static void digests(void **state)
{
    (void)state;
    char text[CHAINSI_DIGEST_TEXT];
    chainsi_digest_text("abc", 3, text);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_keys_that_match_themselves_alone),
        cmocka_unit_test(knows_a_key_by_its_form),
        cmocka_unit_test(reads_headers),
        cmocka_unit_test(orders_scopes),
        cmocka_unit_test(digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
