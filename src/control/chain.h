/* The chains of a daemon: what is deployed, deploying, replacing, deleting, and taking up again what
 * was deployed when the daemon ended, or under way when the brain before this one did. Belongs to the
 * thread of the loop. */
#ifndef CHAINSI_CONTROL_CHAIN_H
#define CHAINSI_CONTROL_CHAIN_H

#include "control/deployment.h"
#include "rpc/http.h"

typedef struct chainsi_registry chainsi_registry;
typedef struct chainsi_chain chainsi_chain;

/* The log of one Chainlet, whatever the version. */
typedef struct chainsi_chain_log {
    const char *name; /* owned */
    chainsi_log *log; /* owned */
    struct chainsi_chain_log *next;
} chainsi_chain_log;

/* A chain. Read-only for others. */
struct chainsi_chain {
    chainsi_registry *registry;
    char *name;                   /* owned */
    chainsi_deployment *active;   /* owned; answers calls; NULL: none does */
    chainsi_deployment *next_one; /* owned; copying or starting; NULL: none */
    chainsi_deployment
        *failed; /* owned; the latest deployment, if it failed; kept to be looked at */
    chainsi_deployment **retiring; /* owned; stopping */
    size_t retiring_count;
    char deployed_at[CHAINSI_TIME_TEXT]; /* of the active one */
    int64_t last_version;
    int64_t kept_version;    /* whose files stay when the daemon stops; 0: none's */
    chainsi_chain_log *logs; /* owned */
    bool deleting;
    void (*on_deleted)(void *user); /* NULL: nobody waits */
    void *deleted_user;
    uv_timer_t *review; /* owned */
    chainsi_chain *next;
};

struct chainsi_registry {
    chainsi_supervisor *supervisor; /* not owned */
    char *home;                     /* owned */
    chainsi_chain *chains;          /* owned; by name */
    bool stopping;
    void (*on_stopped)(void *user); /* every process has ended */
    void *user;
    uv_timer_t *stopped; /* owned; calls on_stopped */
};

/* An empty registry. */
chainsi_registry *chainsi_registry_new(chainsi_supervisor *supervisor, const char *home,
                                       void (*on_stopped)(void *user), void *user);
/* After on_stopped. */
void chainsi_registry_free(chainsi_registry *registry);

/* Takes up what was deployed when the last daemon ended, and what the keeper has. With stopping set
 * nothing is started. */
void chainsi_registry_restore(chainsi_registry *registry);

/* The chain of that name that isn't being deleted; NULL. */
chainsi_chain *chainsi_registry_find(const chainsi_registry *registry, chainsi_slice name);

/* Begins a deployment; one of the same chain that is still starting is given up for it. CHAINS_OK
 * with its number, or a failure with a sentence. */
chains_status chainsi_registry_deploy(chainsi_registry *registry, const chainsi_api_deploy *deploy,
                                      int64_t *version, char *why, size_t why_size);

/* Stops the chain's processes, then forgets it with its files. on_deleted is called when all is
 * done, unless the daemon stops first; NULL: nobody waits. */
void chainsi_chain_delete(chainsi_chain *chain, void (*on_deleted)(void *user), void *user);

/* Stops everything, keeping the files; on_stopped follows, never before this returns. */
void chainsi_registry_stop(chainsi_registry *registry);
/* Kills every process. */
void chainsi_registry_kill(chainsi_registry *registry);
/* Kills what processes have started, whose keeper is gone: they themselves die with it. */
void chainsi_registry_bury(chainsi_registry *registry);

/* The log of a Chainlet by its name on the wire; NULL if it never had one. */
chainsi_log *chainsi_chain_find_log(const chainsi_chain *chain, const char *name);

/* What the API says of a chain; its memory is arena's and the chain's. base_url: "http://host:port". */
void chainsi_chain_describe(const chainsi_chain *chain, const char *base_url, chainsi_arena *arena,
                            chainsi_api_chain *description);

#endif
