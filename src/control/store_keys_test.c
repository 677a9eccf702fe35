/* Keys and secrets in the state. */
#include "store_test_support.h"

#include "control/sealing.h"
#include "control/store_keys.h"
#include "schema/json.h"
#include "store_rows_test_support.h"

static void keeps_keys(void **state)
{
    (void)state;
    chainsi_new_key made;
    assert_true(chainsi_key_make(&made));
    chainsi_stored_key key = {
        .id = made.id,
        .scope = CHAINSI_SCOPE_DEPLOY,
        .rate_per_s = 2.5,
        .chain = "poem",
        .note = "ci",
        .created_at = "2026-01-31T12:00:00.000Z",
        .digest = { made.digest, sizeof made.digest },
    };
    OK(chainsi_stored_key_add(database, &key));
    assert_int_equal(chainsi_stored_key_add(database, &key), CHAINS_ALREADY_EXISTS);
    chainsi_stored_key found;
    OK(chainsi_stored_key_find(database, made.id, &arena, &found));
    assert_int_equal(found.scope, CHAINSI_SCOPE_DEPLOY);
    assert_true(found.rate_per_s == 2.5);
    assert_string_equal(found.chain, "poem");
    assert_string_equal(found.note, "ci");
    assert_string_equal(found.created_at, "2026-01-31T12:00:00.000Z");
    assert_null(found.revoked_at);
    assert_null(found.last_used_at);
    assert_int_equal(found.digest.size, CHAINSI_DIGEST_SIZE);
    assert_true(
        chainsi_key_matches((chainsi_slice){ made.text, CHAINSI_KEY_SIZE }, found.digest.data));

    OK(chainsi_stored_key_use(database, made.id, 2000));
    OK(chainsi_stored_key_use(database, made.id, 1000));
    OK(chainsi_stored_key_revoke(database, made.id));
    OK(chainsi_stored_key_find(database, made.id, &arena, &found));
    assert_string_equal(found.last_used_at, "1970-01-01T00:00:02.000Z");
    assert_non_null(found.revoked_at);
    OK(chainsi_stored_key_revoke(database, made.id));
    FAILS(CHAINS_NOT_FOUND, "there is no key 'x'", chainsi_stored_key_revoke(database, "x"));
    FAILS(CHAINS_NOT_FOUND, "there is no key 'x'", chainsi_stored_key_use(database, "x", 0));
    FAILS(CHAINS_NOT_FOUND, "there is no key 'x'",
          chainsi_stored_key_find(database, "x", &arena, &found));

    int64_t count;
    OK(chainsi_stored_key_count(database, &count));
    assert_int_equal(count, 1);

    /* What is shown says nothing of the digest. */
    chainsi_stored_keys keys;
    chainsi_buffer out = { 0 };
    OK(chainsi_stored_key_list(database, &arena, &keys));
    assert_int_equal(keys.count, 1);
    assert_int_equal(chainsi_json_encode(&chainsi_shown_keys_type, &keys, &out, NULL), CHAINS_OK);
    chainsi_buffer_add_byte(&out, 0);
    assert_non_null(strstr((char *)out.data, "\"scope\":\"deploy\""));
    assert_null(strstr((char *)out.data, "digest"));
    chainsi_buffer_done(&out);
    chainsi_key_erase(&made);
}

static void keeps_secrets(void **state)
{
    (void)state;
    chains_status status;
    chainsi_sealer *sealer = chainsi_sealer_open(home, true, &status, why, sizeof why);
    assert_non_null(sealer);
    chains_bytes sealed;
    assert_int_equal(chainsi_seal(sealer, "token", "s3cret", 6, &arena, &sealed, why, sizeof why),
                     CHAINS_OK);
    OK(chainsi_stored_secret_put(database, "token", (chains_bytes){ "old", 3 }));
    OK(chainsi_stored_secret_put(database, "token", sealed));
    OK(chainsi_stored_secret_put(database, "another", sealed));
    chainsi_stored_secrets secrets;
    OK(chainsi_stored_secret_list(database, &arena, &secrets));
    assert_int_equal(secrets.count, 2);
    assert_string_equal(secrets.items[0].name, "another");
    assert_null(secrets.items[0].sealed.data);
    int64_t count;
    OK(chainsi_stored_secret_count(database, &count));
    assert_int_equal(count, 2);
    chainsi_stored_secret secret;
    OK(chainsi_stored_secret_find(database, "token", &arena, &secret));
    chainsi_plain plain = { 0 };
    assert_int_equal(chainsi_unseal(sealer, "token", secret.sealed, &plain, why, sizeof why),
                     CHAINS_OK);
    assert_string_equal(plain.text, "s3cret");
    chainsi_plain_done(&plain);
    OK(chainsi_stored_secret_remove(database, "token"));
    FAILS(CHAINS_NOT_FOUND, "there is no secret 'token'",
          chainsi_stored_secret_remove(database, "token"));
    FAILS(CHAINS_NOT_FOUND, "there is no secret 'token'",
          chainsi_stored_secret_find(database, "token", &arena, &secret));
    chainsi_sealer_close(sealer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_keys, open_database, close_database),
        cmocka_unit_test_setup_teardown(keeps_secrets, open_database, close_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
