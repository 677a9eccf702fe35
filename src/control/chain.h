/* A chain: its environments, its logs, the programs of its versions, and its deletion. Belongs to the
 * thread of the loop. */
#ifndef CHAINSI_CONTROL_CHAIN_H
#define CHAINSI_CONTROL_CHAIN_H

#include "control/environment.h"
#include "control/registry.h"

/* The log of one Chainlet, whatever the version and the environment. */
typedef struct chainsi_chain_log {
    const char *name; /* owned */
    chainsi_log *log; /* owned */
    struct chainsi_chain_log *next;
} chainsi_chain_log;

/* Its deletion has ended, or could not begin. */
typedef void (*chainsi_on_deleted)(void *user, chains_status status, const char *why);

/* Read-only for others. */
struct chainsi_chain {
    chainsi_registry *registry;
    char *name;                        /* owned */
    chainsi_environment *environments; /* owned; by name */
    chainsi_chain_log *logs;           /* owned */
    chainsi_log_hub followers;         /* of all its logs */
    int64_t *collected; /* owned; versions whose programs go when nothing runs them any more */
    size_t collected_count;
    bool stored;                   /* the state knows of it */
    bool deleting;                 /* it will be forgotten, or that is being made durable */
    bool condemned;                /* and that is durable: its processes end */
    unsigned writing;              /* steps of its own that are being made durable */
    chainsi_on_deleted on_deleted; /* NULL: nobody waits */
    void *deleted_user;
    uv_timer_t *review; /* owned */
    chainsi_chain *next;
};

/* One without environments, in the registry's list. */
chainsi_chain *chainsi_chain_new(chainsi_registry *registry, const char *name);

/* The environment of that name that isn't being ended; NULL. */
chainsi_environment *chainsi_chain_environment(const chainsi_chain *chain, const char *name);
/* Likewise, made if it doesn't exist. NULL while one of that name is being ended. */
chainsi_environment *chainsi_chain_make_environment(chainsi_chain *chain, const char *name);
/* The deployment that runs a version, in production if it can be; NULL: none does. name as of
 * chainsi_stored_version_find. */
chainsi_deployment *chainsi_chain_running(const chainsi_chain *chain, const char *name);

/* Adds the event that a process of a Chainlet was killed because memory ran out; how says whose. */
void chainsi_chain_tell_exhausted(const chainsi_chain *chain, const char *environment,
                                  const char *chainlet, const char *how);

/* Something of it has ended. */
void chainsi_chain_ask_review(chainsi_chain *chain);
/* Removes programs of versions as soon as nothing runs them. */
void chainsi_chain_collect(chainsi_chain *chain, const int64_t *versions, size_t count);

/* Stops the chain's processes, then forgets it with its files. on_deleted is called when all is
 * done, unless the daemon stops first; NULL: nobody waits. */
void chainsi_chain_delete(chainsi_chain *chain, chainsi_on_deleted on_deleted, void *user);
/* Forgets a version, with its programs; intent->step->version says which. */
void chainsi_chain_forget_version(chainsi_chain *chain, chainsi_intent *intent);
/* Goes on with a deletion that had begun. */
void chainsi_chain_delete_on(chainsi_chain *chain);
/* Stops all of it; the next daemon goes on with it. */
void chainsi_chain_stop(chainsi_chain *chain);

/* The log of a Chainlet by its name on the wire, made if it doesn't exist; chain is a chainsi_chain. */
chainsi_log *chainsi_chain_log_of(void *chain, const char *name);

/* What the API says of a chain in an environment; its memory is arena's and the environment's. base_url:
 * "http://host:port". False: there is nothing to describe, what only ends has no place in lists. */
bool chainsi_environment_describe(const chainsi_environment *environment, const char *base_url,
                                  chainsi_arena *arena, chainsi_api_chain *description);

/* The same of all environments of the chains that shows says; what is being deleted has no place in lists. */
void chainsi_registry_describe(const chainsi_registry *registry, const char *base_url,
                               bool (*shows)(void *user, const chainsi_chain *chain), void *user,
                               chainsi_arena *arena, chainsi_api_chains *list);

#endif
