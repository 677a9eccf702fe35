/* Environments of chains in the state (store.h): which version answers their calls, which did before,
 * which is tried on a share of them, and how their Chainlets are scaled.
 *
 * Functions that change something are for chainsi_store_write's functions; all may be called on the
 * reader, where they only read. What is read lives in `arena`. NOT_FOUND where the environment, the
 * chain or the version doesn't exist. */
#ifndef CHAINSI_CONTROL_STORE_ENVIRONMENTS_H
#define CHAINSI_CONTROL_STORE_ENVIRONMENTS_H

#include "control/database.h"

typedef struct chainsi_stored_environment {
    const char *chain;
    const char *name;             /* "production"; never "versions", which is part of paths */
    const char *version;          /* id of the one that answers */
    const char *since;            /* when it began to */
    const char *previous_version; /* for a rollback; NULL: there is none */
    const char *canary_version;   /* tried on some calls; NULL: none, and what follows is nothing */
    double canary_percent;        /* of the calls */
    double canary_max_error_rate_increase; /* beyond: it is given up; 0.01 is a percent of calls */
    double canary_max_p99_ratio;           /* likewise */
    const char *canary_since;              /* or NULL */
    const char *canary_until;              /* then it becomes `version`; or NULL */
} chainsi_stored_environment;

typedef struct chainsi_stored_environments {
    chainsi_stored_environment *items;
    size_t count;
} chainsi_stored_environments;

/* What an environment has its Chainlet scaled by in place of the Chainlet's own options. NULL: the
 * Chainlet's own. */
typedef struct chainsi_stored_scale {
    const char *chain;
    const char *environment;
    const char *chainlet; /* name on the wire */
    const int32_t *min_replicas;
    const int32_t *max_replicas;
    const double *concurrency_target;
    const double *target_utilization;
    const double *window_s;
    const double *scale_down_delay_s;
    const double *scale_to_zero_delay_s;
    const char *set_at;
} chainsi_stored_scale;

typedef struct chainsi_stored_scales {
    chainsi_stored_scale *items;
    size_t count;
} chainsi_stored_scales;

extern const chainsi_type chainsi_stored_environment_type, chainsi_stored_environments_type,
    chainsi_stored_scale_type, chainsi_stored_scales_type;

/* Has the version answer, and remembers the one before; the environment is made if it doesn't exist,
 * and a canary is over. INVALID_ARGUMENT: "versions". */
chains_status chainsi_stored_environment_promote(chainsi_database *database, const char *chain,
                                                 const char *name, const char *version);
/* Has the previous version answer again, and this one become the previous. FAILED_PRECONDITION if
 * there is none. */
chains_status chainsi_stored_environment_roll_back(chainsi_database *database, const char *chain,
                                                   const char *name);
/* Begins to try canary->canary_version, with all that is said of it; canary_since is now. */
chains_status chainsi_stored_environment_try(chainsi_database *database,
                                             const chainsi_stored_environment *canary);
/* Ends that without a change of version. */
chains_status chainsi_stored_environment_stop_trying(chainsi_database *database, const char *chain,
                                                     const char *name);
chains_status chainsi_stored_environment_find(chainsi_database *database, const char *chain,
                                              const char *name, chainsi_arena *arena,
                                              chainsi_stored_environment *environment);
/* Of one chain, or of all (NULL); by chain and name. */
chains_status chainsi_stored_environment_list(chainsi_database *database, const char *chain,
                                              chainsi_arena *arena,
                                              chainsi_stored_environments *environments);
/* The name of another environment that the version answers in, is tried or started in, or would be rolled back to;
 * NULL: there is none. */
chains_status chainsi_stored_environment_find_other(chainsi_database *database, const char *chain,
                                                    const char *name, const char *version,
                                                    chainsi_arena *arena, const char **other);
/* Forgets it with what it has scaled. */
chains_status chainsi_stored_environment_remove(chainsi_database *database, const char *chain,
                                                const char *name);

/* Sets all of it; set_at NULL: now. */
chains_status chainsi_stored_scale_set(chainsi_database *database,
                                       const chainsi_stored_scale *scale);
/* Back to the Chainlet's own options; what isn't there is none. */
chains_status chainsi_stored_scale_reset(chainsi_database *database, const char *chain,
                                         const char *environment, const char *chainlet);
/* Of an environment; by Chainlet. */
chains_status chainsi_stored_scale_list(chainsi_database *database, const char *chain,
                                        const char *environment, chainsi_arena *arena,
                                        chainsi_stored_scales *scales);

#endif
