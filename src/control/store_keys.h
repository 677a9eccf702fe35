/* API keys and sealed secrets in the state (store.h); what they are is keys.h and sealing.h.
 *
 * Functions that change something are for chainsi_store_write's functions; all may be called on the
 * reader, where they only read. What is read lives in `arena`. */
#ifndef CHAINSI_CONTROL_STORE_KEYS_H
#define CHAINSI_CONTROL_STORE_KEYS_H

#include "control/database.h"
#include "control/keys.h"

typedef struct chainsi_stored_key {
    const char *id;
    chainsi_scope scope;
    double rate_per_s; /* 0: no limit */
    const char *chain; /* the only one that it is for; NULL: all */
    const char *note;  /* what it is for; or NULL */
    const char *created_at;
    const char *revoked_at;   /* NULL: it is valid */
    const char *last_used_at; /* NULL: never */
    chains_bytes digest;      /* CHAINSI_DIGEST_SIZE */
} chainsi_stored_key;

typedef struct chainsi_stored_keys {
    chainsi_stored_key *items;
    size_t count;
} chainsi_stored_keys;

typedef struct chainsi_stored_secret {
    const char *name;
    const char *updated_at;
    chains_bytes sealed; /* not in lists */
} chainsi_stored_secret;

typedef struct chainsi_stored_secrets {
    chainsi_stored_secret *items;
    size_t count;
} chainsi_stored_secrets;

/* A scope by its name. */
extern const chainsi_type chainsi_scope_type;
/* As they may be shown to people: without what is secret about them. */
extern const chainsi_type chainsi_shown_key_type, chainsi_shown_keys_type,
    chainsi_shown_secret_type, chainsi_shown_secrets_type;

/* Adds a key, with the time at which it was made. ALREADY_EXISTS: its id is taken, make another. */
chains_status chainsi_stored_key_add(chainsi_database *database, const chainsi_stored_key *key);
/* NOT_FOUND. A revoked one is found, too. */
chains_status chainsi_stored_key_find(chainsi_database *database, const char *id,
                                      chainsi_arena *arena, chainsi_stored_key *key);
/* All, those that were made last first. */
chains_status chainsi_stored_key_list(chainsi_database *database, chainsi_arena *arena,
                                      chainsi_stored_keys *keys);
/* How many there are, valid or not. */
chains_status chainsi_stored_key_count(chainsi_database *database, int64_t *count);
/* It is valid no more; one that was revoked before stays as it was. NOT_FOUND. */
chains_status chainsi_stored_key_revoke(chainsi_database *database, const char *id);
/* Notes a use at unix_ms; to be called now and then, not with each call. NOT_FOUND. */
chains_status chainsi_stored_key_use(chainsi_database *database, const char *id, int64_t unix_ms);

/* Puts a secret, whether or not there is one of that name. */
chains_status chainsi_stored_secret_put(chainsi_database *database, const char *name,
                                        chains_bytes sealed);
/* NOT_FOUND. */
chains_status chainsi_stored_secret_find(chainsi_database *database, const char *name,
                                         chainsi_arena *arena, chainsi_stored_secret *secret);
/* By name; without what is sealed. */
chains_status chainsi_stored_secret_list(chainsi_database *database, chainsi_arena *arena,
                                         chainsi_stored_secrets *secrets);
/* How many there are. */
chains_status chainsi_stored_secret_count(chainsi_database *database, int64_t *count);
/* NOT_FOUND. */
chains_status chainsi_stored_secret_remove(chainsi_database *database, const char *name);

#endif
