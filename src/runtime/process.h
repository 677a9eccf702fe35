/* What a program's contexts share: where it runs, its secrets, its assets. */
#ifndef CHAINSI_RUNTIME_PROCESS_H
#define CHAINSI_RUNTIME_PROCESS_H

#include "runtime/context.h"
#include "schema/type.h"

/* Secrets as they come through CHAINS_SECRETS_FD: JSON, an object of texts. */
typedef struct chainsi_secret_entry {
    const char *key, *value;
} chainsi_secret_entry;
typedef struct chainsi_secret_map {
    chainsi_secret_entry *items;
    size_t count;
} chainsi_secret_map;
extern const chainsi_type chainsi_secret_map_type;

/* Reads what the environment says: CHAINS_ENVIRONMENT (else `environment`), CHAINS_SECRETS_FD or
 * CHAINS_SECRETS_DIR (a folder with a file for each, as Kubernetes mounts a Secret), CHAINS_ASSETS_DIR, CHAINS_LOG_LEVEL (debug, info, warning, error), CHAINS_STRICT, and checks CHAINS_AT_ZERO and CHAINS_BALANCE. Memory of
 * arena, that of the secrets of the process: their descriptor is read once and closed. False with a
 * message on stderr if something there can't be read. */
bool chainsi_process_init(chainsi_process *process, const char *environment, chainsi_arena *arena);
/* The value of a secret; NULL. Asks for no permission. */
const char *chainsi_secret_find(const chainsi_process *process, const char *name);

#endif
