/* The secrets of a home: sealed in the state, in the open only in memory and in what replicas are handed.
 *
 * A secret is for all chains, or for one: of two with the same name, a Chainlet gets that of its chain.
 * The latter is kept as "CHAIN/NAME", which no chain's name can be.
 *
 * A replica gets its secrets as a descriptor of a file without a name, sealed against changes: a JSON
 * object of texts, of exactly those that its Chainlet names. Whatever was handed out since this process
 * began, or is recalled, is kept out of logs. Belongs to the thread of the loop; functions block for as
 * long as small files take. */
#ifndef CHAINSI_CONTROL_VAULT_H
#define CHAINSI_CONTROL_VAULT_H

#include "control/api.h"
#include "control/redaction.h"
#include "control/store.h"

enum {
    CHAINSI_VAULT_MOST = 4096,               /* secrets */
    CHAINSI_VAULT_MOST_HANDED = 1024 * 1024, /* bytes of the JSON that a replica gets */
};

typedef struct chainsi_vault chainsi_vault;

/* A vault on the state of that home, which must outlive it. Never NULL: that the key can't be read is told
 * when it is needed. */
chainsi_vault *chainsi_vault_new(const char *home, chainsi_store *store);
/* Erases what it knows. NULL is allowed. */
void chainsi_vault_free(chainsi_vault *vault);

/* Takes the secrets that were handed out out of logs; as long as the vault. */
const chainsi_redactor *chainsi_vault_redactor(const chainsi_vault *vault);

/* Whether a secret may be called so: letters, digits, '_' and '-', 63 at most. */
bool chainsi_vault_is_name(const char *name);
/* What a secret is kept as; chain NULL: it is for all. In arena. */
const char *chainsi_vault_kept_name(const char *chain, const char *name, chainsi_arena *arena);

/* Seals a value, which must be UTF-8 without a NUL, for chainsi_stored_secret_put; into arena. Makes the
 * key where nothing is sealed yet. INVALID_ARGUMENT, or as of sealing.h. */
chains_status chainsi_vault_seal(chainsi_vault *vault, const char *kept_name, const char *value,
                                 size_t size, chainsi_arena *arena, chains_bytes *sealed, char *why,
                                 size_t why_size);

/* The secrets of a Chainlet of that chain as a descriptor, which is the caller's and CLOEXEC. -1 with a
 * reason: FAILED_PRECONDITION (one isn't set, the reason says how to set it; or they can't be opened,
 * or are too large), or as of the state. */
int chainsi_vault_open(chainsi_vault *vault, const char *chain, const chains_string_list *names,
                       chains_status *status, char *why, size_t why_size);
/* Whether every Chainlet of a deployment could be handed what it names. */
chains_status chainsi_vault_check(chainsi_vault *vault, const chainsi_api_deploy *deploy, char *why,
                                  size_t why_size);
/* Keeps out of logs, too, what a process before this one has handed out; fd stays the caller's. */
void chainsi_vault_recall(chainsi_vault *vault, int fd);

#endif
