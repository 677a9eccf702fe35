#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/certificate_secret.h"
#include "schema/json.h"

static const int64_t now_s = 1764000000;
static chainsi_secret_owner owner = { "v1", "ConfigMap", "poem-v1", "11-22" };

static void is(const char *text, const char *wanted)
{
    if (!text)
        fail_msg("there is no text instead of: %s", wanted);
    assert_string_equal(text, wanted);
}

static void same(const char *text, const char *wanted)
{
    if (wanted)
        is(text, wanted);
    else
        assert_null(text);
}

/* Writes it, and reads that as the API server would give it back. */
static chainsi_secret_record pass(const chainsi_secret_record *record, chainsi_arena *arena)
{
    chainsi_buffer out = { 0 };
    chainsi_secret_record read;
    chainsi_secret_record_write(record, false, &out);
    assert_int_equal(chainsi_json_check((const char *)out.data, out.size, NULL), CHAINS_OK);
    assert_true(chainsi_secret_record_read((const char *)out.data, out.size, arena, &read));
    chainsi_buffer_done(&out);
    return read;
}

static void a_rotation_comes_back_in_each_state(void **state)
{
    (void)state;
    chainsi_arena arena = { 0 };
    chainsi_rotation it = { 0 }, read;
    for (int step = 0; step < 4; step++) {
        assert_true(chainsi_rotation_go_on(&it, "poem", now_s, CHAINSI_AUTHORITY_LIFE_S));
        chainsi_rotation_settle(&it, step > 0, now_s + step);
        chainsi_secret_record record = { .name = "poem-ca",
                                         .type = CHAINSI_SECRET_AUTHORITY_TYPE,
                                         .kind = CHAINSI_SECRET_AUTHORITY,
                                         .chain = "poem",
                                         .owners = { &owner, 1 } };
        chainsi_secret_put_rotation(&record, &it, &arena);
        chainsi_secret_record back = pass(&record, &arena);
        is(back.name, "poem-ca");
        is(back.type, CHAINSI_SECRET_AUTHORITY_TYPE);
        is(back.kind, CHAINSI_SECRET_AUTHORITY);
        assert_null(back.resource_version);
        assert_int_equal(back.owners.count, 1);
        is(back.owners.items[0].uid, "11-22");
        char *bundle = chainsi_rotation_bundle(&it);
        is(chainsi_secret_record_get(&back, "ca.crt"), bundle);
        free(bundle);
        assert_true(chainsi_secret_get_rotation(&back, &read));
        is(read.issuer.certificate, it.issuer.certificate);
        is(read.issuer.key, it.issuer.key);
        same(read.next.certificate, it.next.certificate);
        same(read.next.key, it.next.key);
        same(read.old, it.old);
        assert_int_equal(read.settled_s, it.settled_s);
        assert_int_equal(chainsi_rotation_get_state(&read), chainsi_rotation_get_state(&it));
        chainsi_rotation_done(&read);
    }
    chainsi_rotation_done(&it);
    chainsi_arena_done(&arena);
}

static chainsi_secret_entry *find(chainsi_secret_record *record, const char *key)
{
    for (size_t i = 0; i < record->entry_count; i++)
        if (!strcmp(record->entries[i].key, key))
            return &record->entries[i];
    fail_msg("there is no %s", key);
    return NULL;
}

static void what_was_changed_by_hand_is_noticed(void **state)
{
    (void)state;
    chainsi_arena arena = { 0 };
    chainsi_rotation it = { 0 }, other = { 0 }, read;
    assert_true(chainsi_rotation_go_on(&it, "poem", now_s, CHAINSI_AUTHORITY_LIFE_S));
    assert_true(chainsi_rotation_go_on(&other, "poem", now_s, CHAINSI_AUTHORITY_LIFE_S));
    chainsi_secret_record record = { .name = "poem-ca", .type = "x", .kind = "authority" };
    chainsi_secret_put_rotation(&record, &it, &arena);
    /* Another's key, no key, and no text that is one: it is lost. */
    static const char *const none[] = { NULL, "", "-----BEGIN PRIVATE KEY-----" };
    for (size_t i = 0; i < 4; i++) {
        find(&record, "ca.key")->text = i < 3 ? none[i] : other.issuer.key;
        assert_true(chainsi_secret_get_rotation(&record, &read));
        is(read.issuer.certificate, it.issuer.certificate);
        assert_null(read.issuer.key);
        assert_true(chainsi_rotation_is_due(&read, now_s));
        chainsi_rotation_done(&read);
    }
    find(&record, "issuer.crt")->text = "no certificate";
    assert_false(chainsi_secret_get_rotation(&record, &read));
    find(&record, "issuer.crt")->text = NULL;
    assert_false(chainsi_secret_get_rotation(&record, &read));
    chainsi_rotation_done(&it);
    chainsi_rotation_done(&other);
    chainsi_arena_done(&arena);
}

static void a_patch_takes_away_what_has_no_text(void **state)
{
    (void)state;
    chainsi_buffer out = { 0 };
    chainsi_secret_entry entries[] = { { "a", "x\n" }, { "b", NULL } };
    const chainsi_secret_record record = {
        .name = "poem-ca",
        .resource_version = "7",
        .type = "t",
        .kind = "authority",
        .chain = "poem",
        .chain_version = "v\"1",
        .owners = { &owner, 1 },
        .entries = entries,
        .entry_count = 2,
    };
    chainsi_secret_record_write(&record, true, &out);
    chainsi_buffer_add_byte(&out, 0);
    assert_string_equal(
        (const char *)out.data,
        "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"poem-ca\","
        "\"resourceVersion\":\"7\",\"labels\":{\"app.kubernetes.io/managed-by\":\"chains\","
        "\"chains.dev/kind\":\"authority\",\"chains.dev/chain\":\"poem\",\"chains.dev/version\":"
        "\"v\\\"1\"},\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":"
        "\"poem-v1\",\"uid\":\"11-22\"}]},\"data\":{\"a\":\"eAo=\",\"b\":null}}");
    out.size = 0;
    chainsi_secret_record_write(&record, false, &out);
    chainsi_buffer_add_byte(&out, 0);
    assert_null(strstr((const char *)out.data, "null"));
    assert_null(strstr((const char *)out.data, "resourceVersion"));
    assert_non_null(strstr((const char *)out.data, "\"type\":\"t\""));
    chainsi_buffer_done(&out);
}

static void what_the_server_says_is_read(void **state)
{
    (void)state;
    chainsi_arena arena = { 0 };
    chainsi_secret_record record;
    static const char full[] =
        "{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"a\",\"namespace\":"
        "\"n\","
        "\"uid\":\"u\",\"resourceVersion\":\"42\",\"managedFields\":[{\"manager\":\"x\"}]},"
        "\"data\":{\"text\":\"YQ==\",\"empty\":\"\",\"binary\":\"AGE=\"},\"type\":\"Opaque\"}";
    assert_true(chainsi_secret_record_read(full, sizeof full - 1, &arena, &record));
    is(record.resource_version, "42");
    is(record.type, "Opaque");
    assert_null(record.kind);
    assert_int_equal(record.owners.count, 0);
    is(chainsi_secret_record_get(&record, "text"), "a");
    assert_null(chainsi_secret_record_get(&record, "empty"));
    assert_null(chainsi_secret_record_get(&record, "binary"));
    static const char *const bad[] = { "", "[]", "{\"metadata\":{}}",
                                       "{\"metadata\":{\"name\":\"a\"},\"data\":{\"k\":\"?\"}}" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(chainsi_secret_record_read(bad[i], strlen(bad[i]), &arena, &record));
    chainsi_arena_done(&arena);
}

static void chains_have_names_of_their_own(void **state)
{
    (void)state;
    chainsi_arena arena = { 0 };
    is(chainsi_secret_authority_name(&arena, "poem_generator"), "poem-generator-ca");
    static const char *const odd[] = {
        "poem-generator",
        "Poem",
        "_a",
        "a_",
        "",
        "a23456789012345678901234567890123456789012345678901234567890"
        "1"
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        const char *name = chainsi_secret_authority_name(&arena, odd[i]);
        assert_int_equal(strncmp(name, "chains-ca--", 11), 0);
        assert_int_equal(strlen(name), 27);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(name, chainsi_secret_authority_name(&arena, odd[k]));
    }
    chainsi_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rotation_comes_back_in_each_state),
        cmocka_unit_test(what_was_changed_by_hand_is_noticed),
        cmocka_unit_test(a_patch_takes_away_what_has_no_text),
        cmocka_unit_test(what_the_server_says_is_read),
        cmocka_unit_test(chains_have_names_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
