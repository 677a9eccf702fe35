/* The ring: which texts are keys, rates by a clock of the test's own, and what is written of uses. */
#include "store_test_support.h"

#include "control/keyring.h"

static chainsi_keyring *ring;

static int make_ring(void **state)
{
    if (make_store(state) != 0)
        return -1;
    ring = chainsi_keyring_new(store, why, sizeof why);
    return ring ? 0 : -1;
}

static int free_ring(void **state)
{
    close_store();
    chainsi_keyring_free(ring);
    ring = NULL;
    return remove_home(state);
}

static chains_status add_stored(chainsi_database *database, void *key)
{
    return chainsi_stored_key_add(database, key);
}

static chains_status revoke_stored(chainsi_database *database, void *id)
{
    return chainsi_stored_key_revoke(database, id);
}

/* Makes a key that the state and the ring have. */
static chainsi_new_key add(double rate_per_s)
{
    chainsi_new_key made;
    assert_true(chainsi_key_make(&made));
    chainsi_stored_key key = {
        .id = made.id,
        .rate_per_s = rate_per_s,
        .chain = "poem",
        .created_at = "2026-01-31T12:00:00.000Z",
        .digest = { made.digest, sizeof made.digest },
    };
    assert_int_equal(change(add_stored, &key), CHAINS_OK);
    chainsi_keyring_add(ring, &key);
    return made;
}

static chainsi_ring_key *find(const char *text)
{
    return chainsi_keyring_find(ring, (chainsi_slice){ text, strlen(text) });
}

static void finds_keys_by_all_of_their_text(void **state)
{
    (void)state;
    enum { MANY = 40 };
    chainsi_new_key made[MANY];
    assert_false(chainsi_keyring_is_used(ring));
    for (int i = 0; i < MANY; i++)
        made[i] = add(0);
    assert_true(chainsi_keyring_is_used(ring));
    for (int i = 0; i < MANY; i++) {
        const chainsi_ring_key *key = find(made[i].text);
        assert_non_null(key);
        assert_string_equal(key->id, made[i].id);
        assert_string_equal(key->chain, "poem");
    }
    /* The id of one, the secret of another. */
    char mixed[CHAINSI_KEY_SIZE + 1];
    memcpy(mixed, made[0].text, sizeof mixed);
    memcpy(mixed + CHAINSI_KEY_SIZE - CHAINSI_KEY_SECRET,
           made[1].text + CHAINSI_KEY_SIZE - CHAINSI_KEY_SECRET, CHAINSI_KEY_SECRET);
    assert_null(find(mixed));
    assert_null(find(made[0].id));
    assert_null(find(""));
    assert_null(find("chains_000000000000_"
                     "0000000000000000000000000000000000000000000000000000000000000000"));
}

static void forgets_what_is_revoked_and_stays_locked(void **state)
{
    (void)state;
    chainsi_new_key first = add(0), second = add(0);
    assert_true(chainsi_keyring_revoke(ring, first.id));
    assert_false(chainsi_keyring_revoke(ring, first.id));
    assert_null(find(first.text));
    assert_non_null(find(second.text));
    assert_true(chainsi_keyring_revoke(ring, second.id));
    assert_true(chainsi_keyring_is_used(ring));

    /* Another process reads the same from the state. */
    assert_int_equal(change(revoke_stored, first.id), CHAINS_OK);
    chainsi_keyring_free(ring);
    ring = chainsi_keyring_new(store, why, sizeof why);
    assert_non_null(ring);
    assert_null(find(first.text));
    assert_non_null(find(second.text));
    assert_true(chainsi_keyring_is_used(ring));
}

/* Before anybody has opened the state, and there may be none. */
static void is_asked_of_a_home(void **state)
{
    (void)state;
    close_store();
    assert_false(chainsi_keyring_is_used_in(home, state_url()));
    assert_false(chainsi_keyring_is_used_in("/nowhere", NULL));
    open_store();
    chainsi_keyring_free(ring);
    ring = chainsi_keyring_new(store, why, sizeof why);
    chainsi_new_key made = add(0);
    assert_int_equal(change(revoke_stored, made.id), CHAINS_OK);
    close_store();
    assert_true(chainsi_keyring_is_used_in(home, state_url()));
    open_store();
}

static void keeps_to_the_rate_of_each_key(void **state)
{
    (void)state;
    const int64_t second = 1000000000;
    chainsi_new_key slow = add(2), free_one = add(0);
    int64_t wait_ns = 0;
    for (int i = 0; i < 2; i++)
        assert_true(chainsi_keyring_use(ring, find(slow.text), second, 1, &wait_ns));
    assert_false(chainsi_keyring_use(ring, find(slow.text), second, 1, &wait_ns));
    assert_int_equal(wait_ns, second / 2);
    assert_false(chainsi_keyring_use(ring, find(slow.text), second + second / 4, 1, &wait_ns));
    assert_int_equal(wait_ns, second / 4);
    assert_true(chainsi_keyring_use(ring, find(slow.text), second + second / 2, 1, &wait_ns));
    for (int i = 0; i < 1000; i++)
        assert_true(chainsi_keyring_use(ring, find(free_one.text), second, 1, &wait_ns));
}

static void notes_uses_now_and_then(void **state)
{
    (void)state;
    chainsi_new_key made = add(0);
    uint64_t before = chainsi_store_count(store).writes;
    int64_t wait_ns, at = 1800000000000;
    for (int i = 0; i < 1000; i++)
        assert_true(chainsi_keyring_use(ring, find(made.text), 0, at + i, &wait_ns));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(chainsi_store_count(store).writes, before + 1);
    at += CHAINSI_KEY_NOTE_EVERY_MS;
    assert_true(chainsi_keyring_use(ring, find(made.text), 0, at - 1, &wait_ns));
    assert_true(chainsi_keyring_use(ring, find(made.text), 0, at, &wait_ns));
    /* A clock that was set back. */
    assert_true(chainsi_keyring_use(ring, find(made.text), 0, 1000, &wait_ns));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(chainsi_store_count(store).writes, before + 3);
    assert_int_equal(ask("SELECT last_used_at = '2027-01-15T08:01:00.000Z' FROM keys"), 1);
}

/* At the limit there is no room for one more, and what is there works. */
static void is_full_at_its_limit(void **state)
{
    (void)state;
    chainsi_new_key made = add(0);
    char id[CHAINSI_KEY_ID + 1];
    for (int i = 1; i < CHAINSI_KEYRING_MOST; i++) {
        assert_false(chainsi_keyring_is_full(ring));
        snprintf(id, sizeof id, "%012x", i * 7919);
        chainsi_keyring_add(
            ring, &(chainsi_stored_key){ .id = id, .digest = { made.digest, sizeof made.digest } });
    }
    assert_true(chainsi_keyring_is_full(ring));
    assert_non_null(find(made.text));
    assert_true(chainsi_keyring_revoke(ring, id));
    assert_false(chainsi_keyring_is_full(ring));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_keys_by_all_of_their_text, make_ring, free_ring),
        cmocka_unit_test_setup_teardown(forgets_what_is_revoked_and_stays_locked, make_ring,
                                        free_ring),
        cmocka_unit_test_setup_teardown(is_asked_of_a_home, make_ring, free_ring),
        cmocka_unit_test_setup_teardown(keeps_to_the_rate_of_each_key, make_ring, free_ring),
        cmocka_unit_test_setup_teardown(notes_uses_now_and_then, make_ring, free_ring),
        cmocka_unit_test_setup_teardown(is_full_at_its_limit, make_ring, free_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
