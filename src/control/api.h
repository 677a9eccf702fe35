/* What the daemon's API takes and gives under /api/v1, as C structs with the tables that the codecs
 * walk. The names of the fields are those on the wire.
 *
 *   POST   /api/v1/chains                          api_deploy -> api_accepted (202); with ?only_check=1 it is
 *                                                  only checked (200, version 0), GPUs included
 *   GET    /api/v1/chains                          -> list of api_chain, one for each environment
 *   GET    /api/v1/chains/CHAIN                    -> api_chain: production, else the first there is
 *   DELETE /api/v1/chains/CHAIN                    -> api_deleted, when all its processes have ended
 *   GET    /api/v1/chains/CHAIN/environments       -> list of api_chain
 *   GET    /api/v1/chains/CHAIN/environments/ENVIRONMENT   -> api_chain
 *   DELETE /api/v1/chains/CHAIN/environments/ENVIRONMENT   -> api_deleted, as of a chain
 *   POST   /api/v1/chains/CHAIN/environments/ENVIRONMENT/promote
 *                                                  api_promote -> api_chain, when it is done
 *   POST   /api/v1/chains/CHAIN/environments/ENVIRONMENT/rollback
 *                                                  -> api_chain, when it is done
 *   POST   /api/v1/chains/CHAIN/environments/ENVIRONMENT/swap
 *                                                  api_deploy -> api_swapped, when it is done
 *   GET    /api/v1/chains/CHAIN/versions           -> list of api_version, the newest first
 *   DELETE /api/v1/chains/CHAIN/versions/VERSION   -> api_deleted
 *   GET    /api/v1/events, /api/v1/chains/CHAIN/events
 *                                                  -> list of stored_event; ?before=ID&limit=N
 *   GET    /api/v1/chains/CHAIN/logs               -> text, a line a message, or JSON; ?tail=N&follow=1 and
 *                                                  filters, see log_line.h and api_logs.c
 *   GET    /api/v1/chains/CHAIN/chainlets/NAME/logs   likewise, of one Chainlet
 *   GET, PUT, DELETE /api/v1/chains/CHAIN/environments/ENVIRONMENT/chainlets/NAME/scaling   api_scale.h
 *   GET    /api/v1/chains/CHAIN/environments/ENVIRONMENT/chainlets/NAME, .../metrics   api_chainlet.c
 *   GET    /api/v1/chains/CHAIN/environments/ENVIRONMENT/graph                         graph.h
 *   GET    /api/v1/live                            api_live.c
 *   POST   /api/v1/keys                            api_key_asked -> api_key_made (201)
 *   GET    /api/v1/keys                            -> list of shown_key (store_keys.h)
 *   DELETE /api/v1/keys/ID                         -> api_key_revoked
 *   PUT    /api/v1/secrets/[CHAIN/]NAME            api_secret_value -> api_secret_changed
 *   GET    /api/v1/secrets                         -> list of shown_secret (store_keys.h)
 *   DELETE /api/v1/secrets/[CHAIN/]NAME            -> api_secret_changed
 *   GET    /healthz                                -> api_health
 *
 * Who may do what is gate.h's. What changes something needs an API key, or `Authorization: Bearer TOKEN`
 * with the token of CHAINS_HOME: whoever deploys has programs run in the daemon's name, and 127.0.0.1 is
 * open to every user of a machine. */
#ifndef CHAINSI_CONTROL_API_H
#define CHAINSI_CONTROL_API_H

#include "control/asset_store.h"
#include "control/keys.h"
#include "control/scaling.h"
#include "schema/type.h"

/* One variable of a process. */
typedef struct chainsi_api_variable {
    const char *name;
    const char *value;
} chainsi_api_variable;

typedef struct chainsi_api_variables {
    chainsi_api_variable *items;
    size_t count;
} chainsi_api_variables;

/* When replicas of a Chainlet come and go, as the author said: control/scaling.h. A delay of 0 is none. */
typedef struct chainsi_api_scaling {
    int32_t min_replicas, max_replicas;
    double concurrency_target, target_utilization;
    double window_s, scale_down_delay_s, scale_to_zero_delay_s;
} chainsi_api_scaling;

typedef struct chainsi_api_assets {
    chainsi_asset *items; /* sha256 in lower case */
    size_t count;
} chainsi_api_assets;

/* One service of a chain. */
typedef struct chainsi_api_service {
    const char *name;                /* the Chainlet's, on the wire */
    const char *c_name;              /* the Chainlet's, in C */
    const char *binary;              /* path of its program; absolute */
    const char *program;             /* the daemon's: the name of its copy; null: c_name */
    const char *interface;           /* fingerprint of its method, hex; null: not known */
    chains_string_list dependencies; /* names on the wire of the Chainlets that it calls */
    chainsi_api_variables env;
    double start_timeout_s;      /* default 600 */
    double drain_timeout_s;      /* default 30 */
    double progress_timeout_s;   /* default 0: not watched */
    int32_t max_queue;           /* calls that may wait; default 64 */
    int64_t max_body;            /* bytes of a request; default 64 MiB */
    int32_t concurrency;         /* slots of a replica; default 1 */
    chainsi_api_scaling scaling; /* default: that of a Chainlet which says nothing */
    double cpu;                  /* cores; default 0: no limit */
    int64_t memory;              /* bytes; default 0: no limit */
    const char *gpu;             /* "KIND" or "KIND:COUNT"; null: none */
    chains_string_list secrets;  /* names of those that it may read */
    chainsi_api_assets assets;
    chains_string_list inside; /* names on the wire of the Chainlets that are linked into it, too */
    const char *object;        /* the daemon's: its objects' name in a cluster; null: a process */
} chainsi_api_service;

typedef struct chainsi_api_services {
    chainsi_api_service *items;
    size_t count;
} chainsi_api_services;

/* That a Chainlet calls another one, or an external service. */
typedef struct chainsi_api_link {
    const char *caller, *callee; /* names on the wire */
    bool colocated;              /* within a process */
} chainsi_api_link;

typedef struct chainsi_api_links {
    chainsi_api_link *items;
    size_t count;
} chainsi_api_links;

/* How a version is tried on a share of the calls before it answers all of them: control/canary.h. */
typedef struct chainsi_api_canary {
    double percent;                 /* of the calls; 0: it isn't tried */
    double max_error_rate_increase; /* default as below, likewise the others */
    double max_p99_ratio;
    double minutes;
} chainsi_api_canary;

/* None, with the margins of one that gives no others. */
#define CHAINSI_NO_CANARY                                                                          \
    {                                                                                              \
        .max_error_rate_increase = 0.01, .max_p99_ratio = 1.5, .minutes = 10                       \
    }

#define CHAINSI_API_MOST_PATIENCE_S 86400

/* A chain to deploy. */
typedef struct chainsi_api_deploy {
    const char *chain;       /* its name: letters, digits, '.', '_', '-' */
    const char *environment; /* likewise; default "production"; never "versions" */
    const char *entrypoint;  /* the name on the wire of one of services */
    chainsi_api_services services;
    chainsi_api_canary canary; /* default: it isn't tried */
    const char *source_digest; /* SHA-256 of the sources, small hex digits; null: not known */
    const char *interface;     /* fingerprint of the entrypoint, hex; null: not known */
    const char *created_by;    /* who deploys; null: not known */
    bool
        swappable; /* its programs may be replaced in place (swap.h); default: they stay as they are */
    chainsi_api_links links; /* for those who look; default: none is known of */
    const char *autoscaler;  /* who scales it in a cluster; null: the daemon */
    /* How long what may pass may keep its pods from starting, as a registry that is away; null: 60 s. */
    const double *patience_s;
    bool tls; /* the daemon's: its pods speak TLS; default: they don't */
} chainsi_api_deploy;

/* What the keeper holds of a deployment. */
typedef struct chainsi_api_saved {
    int64_t version;
    const char *id;  /* of the version */
    const char *run; /* "ENVIRONMENT/VERSION": its name among those of the chain */
    const char *deployed_at;
    chainsi_api_deploy deploy;
} chainsi_api_saved;

/* The deployment has begun. */
typedef struct chainsi_api_accepted {
    const char *chain;
    const char *environment;
    int64_t version;        /* counts the versions of a chain */
    const char *version_id; /* v0012-9f3c1a */
} chainsi_api_accepted;

/* What became of programs that were to take the place of those of a running version (swap.h). */
typedef struct chainsi_api_swapped {
    const char *chain;
    const char *environment;
    int64_t version;
    const char *version_id;
    const char *state; /* swapped; unchanged: they are what runs; failed: what ran goes on */
    chains_string_list chainlets; /* whose programs differ */
    const char *chainlet; /* the one that failed; null: none in particular, or none at all */
    const char *message;  /* why it failed; null: it didn't */
} chainsi_api_swapped;

/* A version to answer the calls of an environment. */
typedef struct chainsi_api_promote {
    const char *version;       /* v0012-9f3c1a, v12 or 12 */
    chainsi_api_canary canary; /* default: it isn't tried */
} chainsi_api_promote;

/* One process. */
typedef struct chainsi_api_replica {
    const char *state;       /* chainsi_replica_state_name: starting, ready, ... */
    int64_t number;          /* its place among those of its Chainlet, from 0 on: in its log */
    int64_t pid;             /* 0: none */
    const char *pod, *node;  /* in a cluster, its pod and where that runs; null: it is a process */
    int64_t restarts;        /* starts after the first */
    const char *since;       /* when it came into its state */
    const char *last_end;    /* how it ended last: "exit status 1"; null: it never did */
    chains_string_list gpus; /* that it has: "NVIDIA A10G (number 0)" */
} chainsi_api_replica;

typedef struct chainsi_api_replicas {
    chainsi_api_replica *items;
    size_t count;
} chainsi_api_replicas;

typedef struct chainsi_api_chainlet {
    const char *name;
    bool entrypoint;
    const char
        *state; /* of the replica that is best off; "at_zero": there is none, until a call comes */
    int64_t ready, wanted;           /* replicas that take calls, and that there should be */
    int64_t in_flight, waiting;      /* calls that run, and that no replica has begun */
    chains_string_list dependencies; /* the Chainlets that it calls */
    chains_string_list notes;        /* which of its limits aren't enforced here, and why */
    chainsi_api_scaling scaling;     /* by which it is scaled now */
    /* What of that `chains scale` said, as of chainsi_api_override_type (api_scale.h); null: nothing. */
    const struct chainsi_stored_scale *override;
    chainsi_api_replicas replicas;
} chainsi_api_chainlet;

typedef struct chainsi_api_chainlets {
    chainsi_api_chainlet *items;
    size_t count;
} chainsi_api_chainlets;

/* How far the assets of a deployment are. */
typedef struct chainsi_api_fetched {
    int64_t files, files_done;
    int64_t bytes, bytes_done; /* of those that weren't there before; bytes -1: not known yet */
    double bytes_per_s;        /* of late */
    bool verifying;            /* all bytes are there, digests are being computed */
    const char *trouble;       /* why one of them has to be tried again; null: all goes well */
} chainsi_api_fetched;

/* The latest deployment of an environment, successful or not. */
typedef struct chainsi_api_deployment {
    int64_t version;
    const char *version_id;
    const char *state;    /* starting, trying (a canary), ready, failed */
    const char *chainlet; /* the one that failed; null: none in particular, or none at all */
    const char *message;  /* why it failed; null: it didn't */
    chainsi_api_chainlets chainlets;   /* of this deployment */
    const chainsi_api_fetched *assets; /* of all Chainlets; null: they name none */
} chainsi_api_deployment;

/* What was counted of a version while one was tried. */
typedef struct chainsi_api_canary_side {
    int64_t calls, failed;
    double p99_ms; /* 0: none has succeeded yet */
} chainsi_api_canary_side;

/* A version that is being tried. */
typedef struct chainsi_api_trial {
    const char *version_id;
    double percent;
    const char *since, *until; /* when it began, and when the version answers all calls */
    chainsi_api_canary_side old_version, new_version;
} chainsi_api_trial;

/* What calls of an environment's clients came to in the last seconds, over all entrypoints that they called. */
typedef struct chainsi_api_clients {
    double calls_per_s, errors_per_s;
    const double *p50_ms, *p99_ms; /* null: there were no calls */
} chainsi_api_clients;

/* A chain in one environment. */
typedef struct chainsi_api_chain {
    const char *name;
    const char *environment;
    const char *entrypoint;
    const char *state;      /* starting, ready, degraded (some Chainlet isn't ready), failed */
    const char *url;        /* to POST arguments to */
    int64_t version;        /* that answers calls; 0: none does */
    const char *version_id; /* null: none does */
    const char *previous_version_id; /* that a rollback goes to; null: there is none */
    const char *deployed_at;         /* null: never successfully */
    chainsi_api_chainlets chainlets;
    chainsi_api_deployment deployment;
    const chainsi_api_trial *canary;    /* null: none is tried */
    const chainsi_api_clients *clients; /* null: it isn't told here */
} chainsi_api_chain;

typedef struct chainsi_api_chains {
    chainsi_api_chain *items;
    size_t count;
} chainsi_api_chains;

/* A version of a chain. */
typedef struct chainsi_api_version {
    const char *id;
    int64_t number;
    const char *state;   /* starting, ready, failed */
    const char *message; /* why it failed; null: it didn't */
    bool kept;           /* its programs are still there: it can be promoted */
    const char *source_digest, *interface, *created_by; /* or null */
    const char *created_at;
    const char *ready_at;            /* null: it never was */
    chains_string_list environments; /* that it answers calls of */
} chainsi_api_version;

typedef struct chainsi_api_versions {
    chainsi_api_version *items;
    size_t count;
} chainsi_api_versions;

typedef struct chainsi_api_deleted {
    const char *chain;
    const char *environment; /* null: all of them */
    const char *version_id;  /* null: all of them */
} chainsi_api_deleted;

/* A key to be made. */
typedef struct chainsi_api_key_asked {
    chainsi_scope scope;
    double rate_per_s; /* default 0: no limit */
    const char *chain; /* null: for all */
    const char *note;  /* null: none */
} chainsi_api_key_asked;

/* It has been made; `key` is told this once. */
typedef struct chainsi_api_key_made {
    const char *key, *id;
    chainsi_scope scope;
    double rate_per_s;
    const char *chain, *note, *created_at;
} chainsi_api_key_made;

typedef struct chainsi_api_key_revoked {
    const char *id;
} chainsi_api_key_revoked;

typedef struct chainsi_api_secret_value {
    const char *value;
} chainsi_api_secret_value;

typedef struct chainsi_api_secret_changed {
    const char *name; /* as it is kept: "NAME" or "CHAIN/NAME" */
    chains_string_list
        used_by; /* "CHAIN/CHAINLET": processes that go on with the value they have */
} chainsi_api_secret_changed;

typedef struct chainsi_api_health {
    const char *status; /* "ok", "stopping" */
    const char *home;   /* the CHAINS_HOME that is served; null for those who may not call */
    int64_t pid;        /* likewise; 0 */
} chainsi_api_health;

extern const chainsi_type chainsi_api_clients_type, chainsi_api_deploy_type,
    chainsi_api_service_type, chainsi_api_saved_type, chainsi_api_assets_type,
    chainsi_api_scaling_type, chainsi_api_accepted_type, chainsi_api_swapped_type,
    chainsi_api_promote_type, chainsi_api_chain_type, chainsi_api_chains_type,
    chainsi_api_versions_type, chainsi_api_deleted_type, chainsi_api_key_asked_type,
    chainsi_api_key_made_type, chainsi_api_key_revoked_type, chainsi_api_secret_value_type,
    chainsi_api_secret_changed_type, chainsi_api_health_type;

#define CHAINSI_PRODUCTION "production" /* the environment that is meant where none is named */

/* Whether a chain may be called so. */
bool chainsi_api_is_chain_name(const char *text);

/* CHAINS_OK, or CHAINS_INVALID_ARGUMENT with a sentence: names, that they are unique, that what is
 * named exists, that paths are absolute, that numbers make sense. */
chains_status chainsi_api_check_deploy(const chainsi_api_deploy *deploy, char *why,
                                       size_t why_size);
/* The same for scaling alone. */
chains_status chainsi_api_check_scaling(const chainsi_api_scaling *scaling, char *why,
                                        size_t why_size);

/* What the API says as the policy's options, and back. */
chainsi_scaling_options chainsi_api_scaling_options(const chainsi_api_scaling *scaling);
chainsi_api_scaling chainsi_api_scaling_of(const chainsi_scaling_options *options);
/* Likewise, of what is tried how. */
chains_status chainsi_api_check_canary(const chainsi_api_canary *canary, char *why,
                                       size_t why_size);
/* Likewise: whether an environment can be called so. */
chains_status chainsi_api_check_environment(const char *name, char *why, size_t why_size);

#endif
