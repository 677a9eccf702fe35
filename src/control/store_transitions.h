/* Transitions in the state (store.h): the version that an environment is on its way to, from the moment
 * at which that was accepted until the version answers calls or is given up. At most one for each
 * environment, which need not have answered calls before.
 *
 * Functions that change something are for chainsi_store_write's functions; all may be called on the
 * reader, where they only read. What is read lives in `arena`. */
#ifndef CHAINSI_CONTROL_STORE_TRANSITIONS_H
#define CHAINSI_CONTROL_STORE_TRANSITIONS_H

#include "control/database.h"

typedef struct chainsi_stored_transition {
    const char *chain;
    const char *environment;
    const char *version; /* id */
    /* How it is tried first, as of chainsi_api_canary; percent 0: it isn't. */
    double percent;
    double max_error_rate_increase;
    double max_p99_ratio;
    double minutes;
    const char *begun_at;
    bool back; /* it was asked for as a rollback */
} chainsi_stored_transition;

typedef struct chainsi_stored_transitions {
    chainsi_stored_transition *items;
    size_t count;
} chainsi_stored_transitions;

extern const chainsi_type chainsi_stored_transition_type, chainsi_stored_transitions_type;

/* Begins one, in the place of another; begun_at is now. NOT_FOUND: there is no such version. */
chains_status chainsi_stored_transition_put(chainsi_database *database,
                                            const chainsi_stored_transition *transition);
/* NOT_FOUND: the environment is on its way to none. */
chains_status chainsi_stored_transition_find(chainsi_database *database, const char *chain,
                                             const char *environment, chainsi_arena *arena,
                                             chainsi_stored_transition *transition);
/* Those of all chains. */
chains_status chainsi_stored_transition_list(chainsi_database *database, chainsi_arena *arena,
                                             chainsi_stored_transitions *transitions);
/* Ends it; what isn't there has ended. */
chains_status chainsi_stored_transition_remove(chainsi_database *database, const char *chain,
                                               const char *environment);

#endif
