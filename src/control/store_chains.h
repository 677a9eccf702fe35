/* Chains and their versions in the state (store.h).
 *
 * A version is called v0012-9f3c1a: its number, which counts the versions of its chain and is never
 * given again, and the first digits of its source's digest, so that two versions of one source show.
 * Four digits, so that texts sort as the numbers do. Whoever types may leave out what isn't needed:
 * v12 and 12 are the same version.
 *
 * Functions that change something are for chainsi_store_write's functions; all may be called on the
 * reader, where they only read. What is read lives in `arena`. */
#ifndef CHAINSI_CONTROL_STORE_CHAINS_H
#define CHAINSI_CONTROL_STORE_CHAINS_H

#include "control/api.h"
#include "control/database.h"

typedef struct chainsi_stored_chain {
    const char *name;
    const char *entrypoint; /* of the latest version */
    const char *created_at;
    bool deleting; /* its processes are being ended; then it goes */
} chainsi_stored_chain;

typedef struct chainsi_stored_chains {
    chainsi_stored_chain *items;
    size_t count;
} chainsi_stored_chains;

typedef enum chainsi_version_state {
    CHAINSI_VERSION_STARTING, /* its processes are being started for the first time */
    CHAINSI_VERSION_READY,    /* all of it has been ready: an environment may use it */
    CHAINSI_VERSION_FAILED,   /* it never became ready; `message` says why */
} chainsi_version_state;

typedef struct chainsi_stored_version {
    const char *chain;
    const char *id;
    int64_t number;
    chainsi_version_state state;
    const char *message; /* or NULL */
    chainsi_api_deploy deploy;
    const char *source_digest; /* SHA-256 of the source's snapshot, hex; NULL: there is none */
    const char *interface;     /* fingerprint of the entrypoint, hex; NULL: not known */
    const char *artefacts;     /* the folder of its programs; NULL: none is left */
    const char *created_by;    /* a key's id; NULL: this machine's user */
    const char *created_at;
    const char *ready_at; /* NULL: it never was */
} chainsi_stored_version;

typedef struct chainsi_stored_versions {
    chainsi_stored_version *items;
    size_t count;
} chainsi_stored_versions;

extern const chainsi_type chainsi_stored_chain_type, chainsi_stored_chains_type,
    chainsi_stored_version_type, chainsi_stored_versions_type;

/* Makes the chain, or gives the one that exists its entrypoint. ABORTED while it is being deleted. */
chains_status chainsi_stored_chain_put(chainsi_database *database, const char *name,
                                       const char *entrypoint);
/* NOT_FOUND. */
chains_status chainsi_stored_chain_find(chainsi_database *database, const char *name,
                                        chainsi_arena *arena, chainsi_stored_chain *chain);
/* By name. */
chains_status chainsi_stored_chain_list(chainsi_database *database, chainsi_arena *arena,
                                        chainsi_stored_chains *chains);
/* Marks it as being deleted, so that no restart takes it up again. NOT_FOUND. */
chains_status chainsi_stored_chain_condemn(chainsi_database *database, const char *name);
/* Forgets it with all that belongs to it but its events. NOT_FOUND. */
chains_status chainsi_stored_chain_remove(chainsi_database *database, const char *name);

/* Adds a version of version->chain, and gives it number, id (in arena) and created_at. NOT_FOUND:
 * there is no such chain. */
chains_status chainsi_stored_version_add(chainsi_database *database, chainsi_arena *arena,
                                         chainsi_stored_version *version);
/* By id, or "v12", or "12". NOT_FOUND. */
chains_status chainsi_stored_version_find(chainsi_database *database, const char *chain,
                                          const char *name, chainsi_arena *arena,
                                          chainsi_stored_version *version);
/* The newest first, at most `limit` with a number below `before` (0: from the newest). */
chains_status chainsi_stored_version_list(chainsi_database *database, const char *chain,
                                          int64_t before, int64_t limit, chainsi_arena *arena,
                                          chainsi_stored_versions *versions);
/* Sets the state, with the reason or NULL; ready_at when it becomes READY. NOT_FOUND. */
chains_status chainsi_stored_version_set_state(chainsi_database *database, const char *chain,
                                               const char *id, chainsi_version_state state,
                                               const char *message);
/* Sets what it consists of, with the digest of its sources and its interface. NOT_FOUND. */
chains_status chainsi_stored_version_set_deploy(chainsi_database *database, const char *chain,
                                                const char *id, const chainsi_api_deploy *deploy);
/* Sets the folder of its programs; NULL: they are gone. NOT_FOUND. */
chains_status chainsi_stored_version_set_artefacts(chainsi_database *database, const char *chain,
                                                   const char *id, const char *folder);
/* The digests of the assets that versions of any chain name whose programs are kept; each once. */
chains_status chainsi_stored_version_assets(chainsi_database *database, chainsi_arena *arena,
                                            chains_string_list *digests);
/* FAILED_PRECONDITION while an environment refers to it; NOT_FOUND. */
chains_status chainsi_stored_version_remove(chainsi_database *database, const char *chain,
                                            const char *id);

#endif
