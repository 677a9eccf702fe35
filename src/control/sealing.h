/* Secrets at rest: AES-256-GCM with the key in CHAINS_HOME/secret.key, 32 random bytes that only their
 * user may read.
 *
 * What is sealed is bound to its name: put under another one, it doesn't open. Whoever has state.db, or
 * a backup of it, without secret.key has no secrets. Without secret.key they are lost.
 *
 * Functions block for as long as files take; a sealer may be used from any thread. */
#ifndef CHAINSI_CONTROL_SEALING_H
#define CHAINSI_CONTROL_SEALING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "schema/type.h"

enum { CHAINSI_SECRET_MOST = 64 * 1024 /* bytes of a secret */ };

typedef struct chainsi_sealer chainsi_sealer;

/* Reads the key. make: one is made where there is none; not to be said when there is something sealed
 * already. NULL with a reason: NOT_FOUND, FAILED_PRECONDITION (others may read the key, or it is
 * another's, or no key), UNAVAILABLE. */
chainsi_sealer *chainsi_sealer_open(const char *home, bool make, chains_status *status, char *why,
                                    size_t why_size);
/* Erases the key from memory. NULL is allowed. */
void chainsi_sealer_close(chainsi_sealer *sealer);

/* Seals size bytes under a name, into arena. INVALID_ARGUMENT beyond CHAINSI_SECRET_MOST. */
chains_status chainsi_seal(const chainsi_sealer *sealer, const char *name, const void *data,
                           size_t size, chainsi_arena *arena, chains_bytes *sealed, char *why,
                           size_t why_size);

/* A secret in the open. All zero is none. */
typedef struct chainsi_plain {
    char *text; /* owned; with a NUL behind it */
    size_t size;
} chainsi_plain;

/* Opens what was sealed under that name. DATA_LOSS if it was sealed with another key or under another
 * name, or was changed; plain is untouched then. */
chains_status chainsi_unseal(const chainsi_sealer *sealer, const char *name, chains_bytes sealed,
                             chainsi_plain *plain, char *why, size_t why_size);
/* Erases and frees it. */
void chainsi_plain_done(chainsi_plain *plain);

#endif
