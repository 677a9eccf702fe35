/* The steps of environments from version to version as changes of the state: each is one transaction, so
 * that a daemon which is killed between two of them finds the state before the one or after it.
 *
 *   deploy, promote, roll_back   what a client asks for is accepted: a transition begins
 *   try                          the version is ready: it gets a share of the calls
 *   switch                       the version answers the calls of the environment
 *   give_up                      it failed to start, or was worse than the old one
 *   swap                         the version that answers has other programs (swap.h)
 *
 * A step that is accepted ends whatever was under way in that environment. Each adds an event that says
 * what happened and why. What it decides it decides in its transaction, where no other change comes
 * between: environment.h only carries it out. */
#ifndef CHAINSI_CONTROL_STEPS_H
#define CHAINSI_CONTROL_STEPS_H

#include "control/store_chains.h"
#include "control/store_environments.h"

enum {
    /* Versions of a chain that have their programs, besides those that an environment refers to; and
     * that are remembered at all. */
    CHAINSI_VERSIONS_WITH_PROGRAMS = 10,
    CHAINSI_VERSIONS_KEPT = 200,
};

/* For a version and an environment. */
#define CHAINSI_SWAP_OF_ANOTHER "version %s is one of '%s' as well, where nothing is swapped"

/* What an accepted step leads to. */
typedef enum chainsi_outcome {
    CHAINSI_OUTCOME_STARTS,   /* the version is to be started */
    CHAINSI_OUTCOME_SWITCHES, /* the version that is tried answers from now on */
    CHAINSI_OUTCOME_STAYS, /* what was under way is given up, and the environment stays as it is */
} chainsi_outcome;

typedef struct chainsi_step {
    chainsi_arena *arena; /* for what it finds out */
    const char *chain, *environment;
    const char *version; /* its id, or what people call it; NULL: it gets one */
    const chainsi_api_deploy *deploy;
    chainsi_api_canary canary;
    const char *why; /* for the event, or as the version's message; NULL */

    /* What it found out. */
    chainsi_stored_version found; /* the version */
    chainsi_outcome outcome;
    chainsi_stored_environment now; /* the environment afterwards; version NULL: it has none */
    int64_t *collected;             /* numbers of versions whose programs are to be removed */
    size_t collected_count;
} chainsi_step;

/* Each is a chainsi_change with a chainsi_step as its arguments. */

/* Adds deploy as a version; its id is made, unless version says which it has. ABORTED while the chain is being deleted. */
chains_status chainsi_step_deploy(chainsi_database *database, void *step);
/* NOT_FOUND; FAILED_PRECONDITION for a version that was never ready, or whose programs are gone. */
chains_status chainsi_step_promote(chainsi_database *database, void *step);
/* Gives up what is under way; else goes back to the version before. FAILED_PRECONDITION if there is
 * none, or no version answers yet. */
chains_status chainsi_step_roll_back(chainsi_database *database, void *step);
chains_status chainsi_step_try(chainsi_database *database, void *step);
chains_status chainsi_step_switch(chainsi_database *database, void *step);
chains_status chainsi_step_give_up(chainsi_database *database, void *step);
/* deploy says what the version consists of now, `why` whose programs are others. ABORTED unless it is the one
 * that answers and nothing is under way; FAILED_PRECONDITION if it is another environment's as well. */
chains_status chainsi_step_swap(chainsi_database *database, void *step);
/* Forgets the environment with what is under way in it. NOT_FOUND. */
chains_status chainsi_step_forget_environment(chainsi_database *database, void *step);
/* Forgets a version. NOT_FOUND; FAILED_PRECONDITION while an environment refers to it. */
chains_status chainsi_step_forget_version(chainsi_database *database, void *step);
/* Marks the chain as being deleted; and forgets it, with all but its events. NOT_FOUND. */
chains_status chainsi_step_condemn_chain(chainsi_database *database, void *step);
chains_status chainsi_step_forget_chain(chainsi_database *database, void *step);

#endif
