/* The API keys that are valid, as memory has them: a request is checked without a look at the state,
 * and what is revoked is refused from that moment on.
 *
 * How long a check takes doesn't tell whether there is a key of that id, nor how much of a key was
 * right. Times are the caller's, no clock is read. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_KEYRING_H
#define CHAINSI_CONTROL_KEYRING_H

#include "control/rate.h"
#include "control/store.h"
#include "control/store_keys.h"

enum {
    CHAINSI_KEYRING_MOST = 65536,         /* valid keys */
    CHAINSI_KEY_NOTE_EVERY_MS = 60 * 1000 /* how exactly the state says when a key was used last */
};

typedef struct chainsi_keyring chainsi_keyring;

/* A key on the ring. Read-only for others. */
typedef struct chainsi_ring_key {
    char id[CHAINSI_KEY_ID + 1];
    chainsi_scope scope;
    double rate_per_s; /* 0: no limit */
    char *chain;       /* owned; the only one that it is for; NULL: all */
    uint8_t digest[CHAINSI_DIGEST_SIZE];
    chainsi_bucket bucket;
    int64_t noted_ms; /* the latest use that was noted; 0: none */
} chainsi_ring_key;

/* Reads the valid keys of the state, in which uses are noted from now on; it must outlive the ring.
 * NULL with a reason: as of the state. */
chainsi_keyring *chainsi_keyring_new(chainsi_store *store, char *why, size_t why_size);
/* NULL is allowed. */
void chainsi_keyring_free(chainsi_keyring *ring);

/* Whether there was a key, ever: the door that was locked once isn't opened by revoking the last. */
bool chainsi_keyring_is_used(const chainsi_keyring *ring);
/* The same of the state of a home that nobody has open, or of the server's database that it uses instead (or
 * NULL); false, too, if it can't be read. Blocks. */
bool chainsi_keyring_is_used_in(const char *home, const char *url);
bool chainsi_keyring_is_full(const chainsi_keyring *ring);

/* The valid key that the text is, NULL if it is none; until it is revoked. */
chainsi_ring_key *chainsi_keyring_find(const chainsi_keyring *ring, chainsi_slice text);
/* Takes a token of its bucket. False if there is none, with how long it is until there will be. The use
 * is noted in the state, at most once in CHAINSI_KEY_NOTE_EVERY_MS. */
bool chainsi_keyring_use(chainsi_keyring *ring, chainsi_ring_key *key, int64_t now_ns,
                         int64_t unix_ms, int64_t *wait_ns);

/* A key that the state has now; it is copied. */
void chainsi_keyring_add(chainsi_keyring *ring, const chainsi_stored_key *key);
/* The key of that id is valid no more. False if it wasn't. */
bool chainsi_keyring_revoke(chainsi_keyring *ring, const char *id);

#endif
