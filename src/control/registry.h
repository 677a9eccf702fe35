/* The chains of a daemon: all of them, what is asked of them, and taking up again what was deployed when
 * the daemon ended, or under way when the brain before this one did. Belongs to the thread of the
 * loop. */
#ifndef CHAINSI_CONTROL_REGISTRY_H
#define CHAINSI_CONTROL_REGISTRY_H

#include "control/environment.h"
#include "control/sweep.h"
#include "rpc/http.h"

typedef struct chainsi_registry chainsi_registry;

struct chainsi_registry {
    chainsi_supervisor *supervisor; /* not owned */
    chainsi_store *store;           /* not owned */
    chainsi_assets *assets;         /* owned */
    chainsi_sweep *sweep;           /* owned; NULL: stopping */
    char *home;                     /* owned */
    chainsi_chain *chains;          /* owned; by name */
    bool stopping;
    struct chainsi_pod_versions
        *pod_versions; /* pod_versions.h; not owned; NULL: versions are not a cluster's */
    void (*on_stopped)(void *user); /* every process has ended */
    void *user;
    uv_timer_t *stopped; /* owned; calls on_stopped */
};

/* An empty registry. */
chainsi_registry *chainsi_registry_new(chainsi_supervisor *supervisor, chainsi_store *store,
                                       const char *home, void (*on_stopped)(void *user),
                                       void *user);
/* After on_stopped; the loop has some more to do for it until it ends by itself. */
void chainsi_registry_free(chainsi_registry *registry);

/* Takes up what the state says, and what the keeper has (restore.c). With stopping set nothing is started.
 * False, said, when the state can't be read or changed. */
bool chainsi_registry_restore(chainsi_registry *registry);

/* The chain of that name that isn't being deleted; NULL. */
chainsi_chain *chainsi_registry_find(const chainsi_registry *registry, chainsi_slice name);

/* Hands what is asked to the environment; made for a chain, or an environment of one, that doesn't exist
 * yet. intent is the environment's from now on, or freed without a word: then the status says why, and
 * why in a sentence. */
chains_status chainsi_registry_ask(chainsi_registry *registry, const char *chain,
                                   const char *environment, chainsi_intent *intent, char *why,
                                   size_t why_size);
/* Whether there could be such a deployment now: names and numbers, secrets, GPUs. If it asks for GPUs, they must be
 * known (gpu_pool.h). CHAINS_OK, or another status with a reason. */
chains_status chainsi_registry_check(const chainsi_registry *registry,
                                     const chainsi_api_deploy *deploy, char *why, size_t why_size);
/* Asks for a deployment. Its fate as of chainsi_registry_ask. deploy must live as long as intent. It is
 * checked first. */
chains_status chainsi_registry_deploy(chainsi_registry *registry, const chainsi_api_deploy *deploy,
                                      chainsi_intent *intent, char *why, size_t why_size);

/* Whether the state knows a version of the chain by this name, as of chainsi_stored_version_find. */
bool chainsi_registry_has_version(const chainsi_registry *registry, const char *chain,
                                  const char *version);
/* Whether the Chainlets of a version, named as of chainsi_stored_version_find, could be handed what they name
 * in .secrets; version NULL: of the one that a rollback of the environment would start. Else the reason names
 * what is missing. CHAINS_OK, too, where there is no such version, which is for the step itself to say. */
chains_status chainsi_registry_check_secrets(const chainsi_registry *registry, const char *chain,
                                             const char *environment, const char *version,
                                             char *why, size_t why_size);

/* Stops everything, keeping the files; on_stopped follows, never before this returns. */
void chainsi_registry_stop(chainsi_registry *registry);
/* A chain is gone. */
void chainsi_registry_review(chainsi_registry *registry);
/* Kills every process. */
void chainsi_registry_kill(chainsi_registry *registry);
/* Kills what processes have started, whose keeper is gone: they themselves die with it. */
void chainsi_registry_bury(chainsi_registry *registry);

#endif
