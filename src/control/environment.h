/* An environment of a chain: which version answers its calls, and how another one takes its place.
 *
 *                  a version is deployed, promoted or rolled back to (from any state but ENDING)
 *      +------------------------------------------------+
 *      |                                                v            all of it is ready, a canary
 *   SETTLED <--- it failed, or was given up -------- STARTING --------------------------------+
 *      ^  ^                                             |                                      |
 *      |  +----- all of it is ready: it answers --------+                                      v
 *      +-------- it is as good as the old one, or promoted by hand: it answers ------------- TRYING
 *      +-------- it is worse, or rolled back by hand: the old one goes on --------------------+
 *
 *   any state --- deleted, or the daemon stops ---> ENDING
 *
 * Each arrow but the last is a step (steps.h): first its transaction, which other steps of the environment
 * wait for; when it is durable, the same in memory. So what a daemon finds after any death is what it would have
 * had before a step or after it; processes and sockets that don't belong to that end. One function
 * decides: review() of environment.c, which the loop calls after whatever has happened.
 *
 * The latest word counts: what a client asks for takes the place of what was under way, and whoever
 * waited for that is told ABORTED. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_ENVIRONMENT_H
#define CHAINSI_CONTROL_ENVIRONMENT_H

#include "control/canary.h"
#include "control/deployment.h"
#include "control/scales.h"
#include "control/steps.h"
#include "control/store.h"

typedef struct chainsi_chain chainsi_chain;
typedef struct chainsi_environment chainsi_environment;
typedef struct chainsi_intent chainsi_intent;

typedef enum chainsi_environment_state {
    CHAINSI_ENVIRONMENT_SETTLED,
    CHAINSI_ENVIRONMENT_STARTING,
    CHAINSI_ENVIRONMENT_TRYING,
    CHAINSI_ENVIRONMENT_ENDING,
} chainsi_environment_state;

/* What a client asks of an environment. */
struct chainsi_intent {
    chainsi_change run;  /* of steps.h */
    chainsi_step *step;  /* its arguments: write's; arena and environment are set */
    bool until_accepted; /* on_end is told when it is accepted, else when it is done */
    /* Its end, once; NULL: nobody wants to know any more. step: what became of it, as long as this runs;
     * NULL when it was done later. */
    void (*on_end)(void *user, chains_status status, const char *why, const chainsi_step *step);
    void *user;
    chainsi_write *write; /* owned until the store has it */
    chainsi_chain *chain; /* whose it is, once it has been handed over */
    chainsi_intent *next;
};

/* A version that is being tried. */
typedef struct chainsi_trial {
    uint64_t number; /* never given twice in a process */
    chainsi_canary_options options;
    double percent, credit; /* credit: what the new one is owed, in calls of 100 */
    int64_t began_ns;       /* as of chainsi_now_ns(), or when it would have by that clock */
    char since[CHAINSI_TIME_TEXT], until[CHAINSI_TIME_TEXT];
    chainsi_canary_side old_side, new_side;
    chainsi_canary_state state;
    chainsi_canary_verdict verdict;
    char why[256];
    uv_timer_t *look; /* owned */
} chainsi_trial;

/* Read-only for others. */
struct chainsi_environment {
    chainsi_chain *chain;
    char *name; /* owned */
    chainsi_environment_state state;
    chainsi_deployment *current;   /* owned; answers calls; NULL: none does */
    chainsi_deployment *candidate; /* owned; STARTING or TRYING; else NULL */
    chainsi_deployment *failed; /* owned; the latest, if it failed; kept to be looked at; or NULL */
    chainsi_deployment **retiring; /* owned; stopping */
    size_t retiring_count;
    chainsi_api_canary canary;           /* how the candidate is to be tried */
    chainsi_trial *trial;                /* owned; while TRYING; else NULL */
    char deployed_at[CHAINSI_TIME_TEXT]; /* since when the current one answers */
    char *previous;                      /* owned; id of the version to roll back to; NULL */
    chainsi_scales
        scales; /* owned; by which its Chainlets are scaled in place of their own options */
    chainsi_intent *intents; /* owned; wait for their turn */
    chainsi_intent *waiting; /* owned; accepted, and not yet done; NULL: nobody waits */
    void (*carry_out)(chainsi_environment *environment, const chainsi_step *step);
    chainsi_intent
        *accepting;     /* owned; whose step is being made durable; NULL: a step of its own */
    bool writing;       /* a step is being made durable */
    bool forgotten;     /* ENDING for good: deleted */
    uv_timer_t *review; /* owned */
    chainsi_environment *next;
};

/* One without a version. Belongs to the chain, whose list it is in. */
chainsi_environment *chainsi_environment_new(chainsi_chain *chain, const char *name);
/* When it is empty. */
void chainsi_environment_free(chainsi_environment *environment);
/* Whether nothing is left of it. */
bool chainsi_environment_is_empty(const chainsi_environment *environment);

/* Something to ask; what step needs is put into intent->write->arena. */
chainsi_intent *chainsi_intent_new(chainsi_change run, bool until_accepted);
/* Tells its end, and frees it. NULL is allowed. */
void chainsi_intent_end(chainsi_intent *intent, chains_status status, const char *why,
                        const chainsi_step *step);
/* Frees one that was never handed over. */
void chainsi_intent_free(chainsi_intent *intent);
/* Hands it over; on_end comes from the loop, never before this returns. */
void chainsi_environment_ask(chainsi_environment *environment, chainsi_intent *intent);

/* Ends all that runs; forgotten: it has been deleted, else it goes on with the next daemon. The chain is
 * asked for a review when it is empty. */
void chainsi_environment_end(chainsi_environment *environment, bool forgotten);

/* What is durable holds from now on, for what runs in it and for what will: a Chainlet is scaled so; scale
 * NULL: by its own options. */
void chainsi_environment_scale(chainsi_environment *environment, const char *chainlet,
                               const chainsi_stored_scale *scale);

/* Which deployment gets the next call; NULL: none answers. *trial: the number of the trial that the
 * call counts for, or 0; *is_new: on which side. */
chainsi_deployment *chainsi_environment_pick(chainsi_environment *environment, uint64_t *trial,
                                             bool *is_new);
/* Counts a call that was picked for a trial, if that still goes on. status: HTTP's; from 500 on the
 * version has failed, others above 400 say something about the caller. */
void chainsi_environment_count(chainsi_environment *environment, uint64_t trial, bool is_new,
                               int status, int64_t ns);

/* A deployment of a version in it, which is nobody's yet. run: its name, "ENVIRONMENT/VERSION"; NULL: one
 * that no other has. */
chainsi_deployment *chainsi_environment_deployment(chainsi_environment *environment,
                                                   const chainsi_stored_version *version,
                                                   const char *run, chainsi_deployment_begin begin);

/* --- for what takes up where another daemon left off (restore.c) --- */

/* Has a deployment answer, be tried as it was, be started, or end. */
void chainsi_environment_take_current(chainsi_environment *environment,
                                      chainsi_deployment *deployment,
                                      const chainsi_stored_environment *stored);
void chainsi_environment_take_trial(chainsi_environment *environment,
                                    chainsi_deployment *deployment,
                                    const chainsi_stored_environment *stored);
void chainsi_environment_take_candidate(chainsi_environment *environment,
                                        chainsi_deployment *deployment,
                                        const chainsi_api_canary *canary);
void chainsi_environment_retire(chainsi_environment *environment, chainsi_deployment *deployment);

#endif
