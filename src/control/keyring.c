/* Keys in memory, sorted by their ids. */
#include "control/keyring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/handle.h"
#include "control/home.h"

struct chainsi_keyring {
    chainsi_store *store;    /* not owned */
    chainsi_ring_key **keys; /* owned; by id */
    size_t count, capacity;
    bool used;
};

/* Where the key of that id is, or would be. */
static size_t find_place(const chainsi_keyring *ring, const char *id, bool *found)
{
    size_t low = 0, high = ring->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(ring->keys[middle]->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < ring->count && !strcmp(ring->keys[low]->id, id);
    return low;
}

static void free_key(chainsi_ring_key *key)
{
    free(key->chain);
    free(key);
}

chainsi_keyring *chainsi_keyring_new(chainsi_store *store, char *why, size_t why_size)
{
    chainsi_keyring *ring = chainsi_make(sizeof *ring);
    ring->store = store;
    chainsi_database *reader = chainsi_store_reader(store);
    chainsi_arena arena = { 0 };
    chainsi_stored_keys stored = { 0 };
    if (chainsi_stored_key_list(reader, &arena, &stored) != CHAINS_OK) {
        snprintf(why, why_size, "%s", chainsi_database_why(reader));
        chainsi_keyring_free(ring);
        ring = NULL;
    }
    for (size_t i = 0; i < stored.count; i++) {
        ring->used = true;
        if (!stored.items[i].revoked_at)
            chainsi_keyring_add(ring, &stored.items[i]);
    }
    chainsi_arena_done(&arena);
    return ring;
}

void chainsi_keyring_free(chainsi_keyring *ring)
{
    if (!ring)
        return;
    for (size_t i = 0; i < ring->count; i++)
        free_key(ring->keys[i]);
    free(ring->keys);
    free(ring);
}

bool chainsi_keyring_is_used(const chainsi_keyring *ring)
{
    return ring->used;
}

bool chainsi_keyring_is_used_in(const char *home, const char *url)
{
    char why[512];
    int64_t count = 0;
    char *path = chainsi_path("%s/state.db", home);
    /* A file for writing: what is only in its log has to be found as well. */
    chainsi_database *database =
        url ? chainsi_database_open(url, CHAINSI_DATABASE_READ, why, sizeof why)
            : chainsi_database_open(path, CHAINSI_DATABASE_WRITE, why, sizeof why);
    if (database)
        chainsi_database_keep_log(database);
    bool used = database && chainsi_stored_key_count(database, &count) == CHAINS_OK && count > 0;
    chainsi_database_close(database);
    free(path);
    return used;
}

bool chainsi_keyring_is_full(const chainsi_keyring *ring)
{
    return ring->count >= CHAINSI_KEYRING_MOST;
}

chainsi_ring_key *chainsi_keyring_find(const chainsi_keyring *ring, chainsi_slice text)
{
    /* What isn't there is compared, too, with what nothing has as its digest. */
    static const uint8_t nobodys[CHAINSI_DIGEST_SIZE];
    char id[CHAINSI_KEY_ID + 1] = "";
    bool found = false;
    size_t at = 0;
    if (chainsi_key_id(text, id))
        at = find_place(ring, id, &found);
    bool matches = chainsi_key_matches(text, found ? ring->keys[at]->digest : nobodys);
    return found && matches ? ring->keys[at] : NULL;
}

typedef struct key_use {
    char id[CHAINSI_KEY_ID + 1];
    int64_t unix_ms;
} key_use;

static chains_status write_use(chainsi_database *database, void *arguments)
{
    const key_use *use = arguments;
    return chainsi_stored_key_use(database, use->id, use->unix_ms);
}

/* Whether it can be kept isn't worth anybody's time. */
static void note_use(chainsi_keyring *ring, chainsi_ring_key *key, int64_t unix_ms)
{
    key->noted_ms = unix_ms;
    chainsi_write *write = chainsi_write_new(sizeof(key_use));
    key_use *use = write->arguments;
    memcpy(use->id, key->id, sizeof use->id);
    use->unix_ms = unix_ms;
    write->run = write_use;
    chainsi_store_write(ring->store, write);
}

bool chainsi_keyring_use(chainsi_keyring *ring, chainsi_ring_key *key, int64_t now_ns,
                         int64_t unix_ms, int64_t *wait_ns)
{
    /* A clock that was set back must not keep uses from being noted until it has caught up. */
    if (unix_ms < key->noted_ms || unix_ms - key->noted_ms >= CHAINSI_KEY_NOTE_EVERY_MS)
        note_use(ring, key, unix_ms);
    return chainsi_bucket_take(&key->bucket, key->rate_per_s, now_ns, wait_ns);
}

void chainsi_keyring_add(chainsi_keyring *ring, const chainsi_stored_key *key)
{
    ring->used = true;
    bool found;
    size_t at = find_place(ring, key->id, &found);
    if (found || key->digest.size != CHAINSI_DIGEST_SIZE || strlen(key->id) != CHAINSI_KEY_ID)
        return;
    if (ring->count == ring->capacity) {
        ring->capacity = ring->capacity ? 2 * ring->capacity : 16;
        ring->keys = realloc(ring->keys, ring->capacity * sizeof(chainsi_ring_key *));
        if (!ring->keys)
            abort();
    }
    chainsi_ring_key *added = chainsi_make(sizeof *added);
    memcpy(added->id, key->id, sizeof added->id);
    added->scope = key->scope;
    added->rate_per_s = key->rate_per_s;
    added->chain = chainsi_copy_text(key->chain);
    memcpy(added->digest, key->digest.data, sizeof added->digest);
    memmove(ring->keys + at + 1, ring->keys + at, (ring->count - at) * sizeof(chainsi_ring_key *));
    ring->keys[at] = added;
    ring->count++;
}

bool chainsi_keyring_revoke(chainsi_keyring *ring, const char *id)
{
    bool found;
    size_t at = find_place(ring, id, &found);
    if (!found)
        return false;
    free_key(ring->keys[at]);
    ring->count--;
    memmove(ring->keys + at, ring->keys + at + 1, (ring->count - at) * sizeof(chainsi_ring_key *));
    return true;
}
