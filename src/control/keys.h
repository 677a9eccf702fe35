/* API keys: their form, what they permit, and how they are checked.
 *
 * A key is chains_ID_SECRET: 12 hex digits that name it, and 256 random bits as 64 hex digits. It is
 * shown once, when it is made; what is kept is its id and the SHA-256 of all of it (a random secret
 * needs no slow hash). The prefix lets scanners of leaked text find it.
 *
 * Nothing here blocks or keeps state; any thread. */
#ifndef CHAINSI_CONTROL_KEYS_H
#define CHAINSI_CONTROL_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "control/digest.h"
#include "rpc/http.h"

#define CHAINSI_KEY_PREFIX "chains_"
enum {
    CHAINSI_KEY_ID = 12,     /* digits */
    CHAINSI_KEY_SECRET = 64, /* digits */
    CHAINSI_KEY_SIZE = sizeof CHAINSI_KEY_PREFIX - 1 + CHAINSI_KEY_ID + 1 + CHAINSI_KEY_SECRET
};

/* What a key permits; each includes those before it. */
typedef enum chainsi_scope {
    CHAINSI_SCOPE_CALL,   /* calls of entrypoints, asynchronous ones included */
    CHAINSI_SCOPE_DEPLOY, /* and deploying, promoting, scaling */
    CHAINSI_SCOPE_ADMIN,  /* and keys, secrets, calls of inner Chainlets, deletion */
} chainsi_scope;

/* "call", "deploy", "admin". */
const char *chainsi_scope_name(chainsi_scope scope);
/* False for any other text; *scope is untouched then. */
bool chainsi_scope_from_name(const char *name, chainsi_scope *scope);
static inline bool chainsi_scope_permits(chainsi_scope given, chainsi_scope needed)
{
    return given >= needed;
}

typedef struct chainsi_new_key {
    char text[CHAINSI_KEY_SIZE + 1]; /* for its owner, once; to be erased */
    char id[CHAINSI_KEY_ID + 1];
    uint8_t digest[CHAINSI_DIGEST_SIZE];
} chainsi_new_key;

/* Makes a key. False: the system gave no random bytes, see errno. */
bool chainsi_key_make(chainsi_new_key *key);
/* Overwrites it. */
void chainsi_key_erase(chainsi_new_key *key);

/* What stands behind "Bearer" or "Api-Key" (in any case) in the value of an Authorization header.
 * False if it is neither. *text points into the value. */
bool chainsi_key_from_header(chainsi_slice value, chainsi_slice *text);
/* The id in a key's text. False if it isn't of a key's form. */
bool chainsi_key_id(chainsi_slice text, char id[CHAINSI_KEY_ID + 1]);
/* Whether the text is the key with that digest, in a time that doesn't tell how much was right. */
bool chainsi_key_matches(chainsi_slice text, const uint8_t digest[CHAINSI_DIGEST_SIZE]);

#endif
