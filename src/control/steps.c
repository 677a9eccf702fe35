/* Transactions on chains, versions, environments and transitions together. */
#include "control/steps.h"

#include <stdio.h>
#include <string.h>

#include "control/steady.h"
#include "control/store_history.h"
#include "control/store_transitions.h"
#include "control/time_text.h"

/* Stops at the first failure. */
#define TRY(step_)                                                                                 \
    do {                                                                                           \
        chains_status status_ = (step_);                                                           \
        if (status_ != CHAINS_OK)                                                                  \
            return status_;                                                                        \
    } while (0)

/* Names and ids need no escaping in JSON. */
static chains_status add_event(chainsi_database *database, const chainsi_step *step,
                               const char *kind, const char *version, const char *message)
{
    const char *details = NULL;
    if (step->environment && version)
        details = chainsi_arena_printf(step->arena, "{\"environment\":\"%s\",\"version\":\"%s\"}",
                                       step->environment, version);
    else if (step->environment || version)
        details = chainsi_arena_printf(step->arena, "{\"%s\":\"%s\"}",
                                       version ? "version" : "environment",
                                       version ? version : step->environment);
    return chainsi_stored_event_add(database,
                                    &(chainsi_stored_event){
                                        .kind = kind,
                                        .chain = step->chain,
                                        .message = message,
                                        .details = { details, details ? strlen(details) : 0 },
                                    });
}

/* The environment as it is; one without a version if it doesn't exist. */
static chains_status read_environment(chainsi_database *database, const chainsi_step *step,
                                      chainsi_stored_environment *environment)
{
    *environment = (chainsi_stored_environment){ .chain = step->chain, .name = step->environment };
    chains_status status = chainsi_stored_environment_find(database, step->chain, step->environment,
                                                           step->arena, environment);
    return status == CHAINS_NOT_FOUND ? CHAINS_OK : status;
}

/* Likewise; one without a version if there is none. */
static chains_status read_transition(chainsi_database *database, const chainsi_step *step,
                                     chainsi_stored_transition *transition)
{
    *transition = (chainsi_stored_transition){ 0 };
    chains_status status = chainsi_stored_transition_find(database, step->chain, step->environment,
                                                          step->arena, transition);
    return status == CHAINS_NOT_FOUND ? CHAINS_OK : status;
}

/* Ends the transition; its version has failed if it had not been ready yet. */
static chains_status end_transition(chainsi_database *database, const chainsi_step *step,
                                    const char *why)
{
    chainsi_stored_transition transition;
    TRY(read_transition(database, step, &transition));
    if (!transition.version)
        return CHAINS_OK;
    chainsi_stored_version version;
    TRY(chainsi_stored_version_find(database, step->chain, transition.version, step->arena,
                                    &version));
    if (version.state == CHAINSI_VERSION_STARTING)
        TRY(chainsi_stored_version_set_state(database, step->chain, version.id,
                                             CHAINSI_VERSION_FAILED, why));
    return chainsi_stored_transition_remove(database, step->chain, step->environment);
}

/* Ends what is under way in the environment. */
static chains_status end_all(chainsi_database *database, const chainsi_step *step,
                             const chainsi_stored_environment *environment, const char *why)
{
    TRY(end_transition(database, step, why));
    if (!environment->canary_version)
        return CHAINS_OK;
    TRY(chainsi_stored_environment_stop_trying(database, step->chain, step->environment));
    return add_event(database, step, "canary_ended", environment->canary_version,
                     chainsi_arena_printf(step->arena, "version %s is no longer tried in '%s': %s",
                                          environment->canary_version, step->environment, why));
}

/* Finds the versions whose programs are to go, and notes that they have none. */
static chains_status collect(chainsi_database *database, chainsi_step *step)
{
    chainsi_statement find = chainsi_statement_begin(
        database,
        "SELECT number, id FROM versions AS v WHERE chain = :chain AND artefacts IS NOT NULL AND "
        "state <> 'starting' AND (state = 'failed' OR number NOT IN (SELECT number FROM versions "
        "WHERE chain = :chain AND state <> 'failed' ORDER BY number DESC LIMIT :most)) AND "
        "NOT EXISTS (SELECT 1 FROM environments AS e WHERE e.chain = v.chain AND v.id IN "
        "(e.version, e.previous_version, e.canary_version)) AND NOT EXISTS (SELECT 1 FROM "
        "transitions AS t WHERE t.chain = v.chain AND t.version = v.id)");
    chainsi_statement_text(&find, ":chain", step->chain);
    chainsi_statement_integer(&find, ":most", CHAINSI_VERSIONS_WITH_PROGRAMS);
    size_t room = 0;
    const char **ids = NULL;
    step->collected = NULL;
    step->collected_count = 0;
    while (chainsi_statement_next(&find)) {
        if (step->collected_count == room) {
            size_t more = 2 * room + 4;
            int64_t *numbers = chainsi_arena_array(step->arena, more, sizeof *numbers);
            const char **names = chainsi_arena_array(step->arena, more, sizeof *names);
            if (room) {
                memcpy(numbers, step->collected, room * sizeof *numbers);
                memcpy(names, ids, room * sizeof *names);
            }
            step->collected = numbers;
            ids = names;
            room = more;
        }
        step->collected[step->collected_count] = chainsi_statement_column(&find, 0);
        ids[step->collected_count++] = chainsi_statement_column_text(&find, 1, step->arena);
    }
    TRY(chainsi_statement_end(&find));
    for (size_t i = 0; i < step->collected_count; i++)
        TRY(chainsi_stored_version_set_artefacts(database, step->chain, ids[i], NULL));
    chainsi_statement forget = chainsi_statement_begin(
        database,
        "DELETE FROM versions AS v WHERE chain = :chain AND artefacts IS NULL AND number <= "
        "(SELECT last_number FROM chains WHERE name = :chain) - :most AND NOT EXISTS (SELECT 1 "
        "FROM environments AS e WHERE e.chain = v.chain AND v.id IN (e.version, "
        "e.previous_version, e.canary_version)) AND NOT EXISTS (SELECT 1 FROM transitions AS t "
        "WHERE t.chain = v.chain AND t.version = v.id)");
    chainsi_statement_text(&forget, ":chain", step->chain);
    chainsi_statement_integer(&forget, ":most", CHAINSI_VERSIONS_KEPT);
    return chainsi_statement_run(&forget);
}

/* Begins the transition to step->found; back: it is what a rollback leads to. */
static chains_status begin_transition(chainsi_database *database, chainsi_step *step, bool back)
{
    step->outcome = CHAINSI_OUTCOME_STARTS;
    return chainsi_stored_transition_put(
        database, &(chainsi_stored_transition){
                      .chain = step->chain,
                      .environment = step->environment,
                      .version = step->found.id,
                      .percent = step->canary.percent,
                      .max_error_rate_increase = step->canary.max_error_rate_increase,
                      .max_p99_ratio = step->canary.max_p99_ratio,
                      .minutes = step->canary.minutes,
                      .back = back,
                  });
}

chains_status chainsi_step_deploy(chainsi_database *database, void *arguments)
{
    chainsi_step *step = arguments;
    chainsi_stored_version version = {
        .chain = step->chain,
        .id = step->version,
        .state = CHAINSI_VERSION_STARTING,
        .deploy = *step->deploy,
        .source_digest = step->deploy->source_digest,
        .interface = step->deploy->interface,
        .created_by = step->deploy->created_by,
    };
    TRY(chainsi_stored_chain_put(database, step->chain, step->deploy->entrypoint));
    TRY(read_environment(database, step, &step->now));
    TRY(end_all(database, step, &step->now, "another deployment has taken its place"));
    TRY(chainsi_stored_version_add(database, step->arena, &version));
    TRY(chainsi_stored_version_set_artefacts(database, step->chain, version.id,
                                             chainsi_arena_printf(step->arena, "chains/%s/%lld",
                                                                  step->chain,
                                                                  (long long)version.number)));
    step->found = version;
    TRY(begin_transition(database, step, false));
    return add_event(database, step, "deployed", version.id,
                     chainsi_arena_printf(step->arena, "version %s is deployed to '%s'%s%s",
                                          version.id, step->environment,
                                          version.created_by ? " by " : "",
                                          version.created_by ? version.created_by : ""));
}

/* Finds the version, which must be fit to be started. */
static chains_status find_fit(chainsi_database *database, chainsi_step *step, const char *name)
{
    chainsi_stored_version *found = &step->found;
    TRY(chainsi_stored_version_find(database, step->chain, name, step->arena, found));
    if (found->state == CHAINSI_VERSION_FAILED)
        return chainsi_database_fail(database, CHAINS_FAILED_PRECONDITION,
                                     "version %s of '%s' has failed: %s", found->id, step->chain,
                                     found->message ? found->message : "");
    if (found->state != CHAINSI_VERSION_READY)
        return chainsi_database_fail(database, CHAINS_FAILED_PRECONDITION,
                                     "version %s of '%s' is still being started for the first time",
                                     found->id, step->chain);
    if (!found->artefacts)
        return chainsi_database_fail(
            database, CHAINS_FAILED_PRECONDITION,
            "the programs of version %s of '%s' are no longer kept: deploy its sources again",
            found->id, step->chain);
    return CHAINS_OK;
}

/* Has the version answer, and says why; back: people asked for a rollback, whichever version that led to. */
static chains_status switch_to(chainsi_database *database, chainsi_step *step, const char *id,
                               bool back)
{
    TRY(chainsi_stored_transition_remove(database, step->chain, step->environment));
    TRY(chainsi_stored_environment_promote(database, step->chain, step->environment, id));
    TRY(read_environment(database, step, &step->now));
    TRY(collect(database, step));
    return add_event(database, step, back ? "rolled_back" : "promoted", id,
                     chainsi_arena_printf(step->arena, "version %s answers the calls of '%s'%s%s%s",
                                          id, step->environment, back ? " again" : "",
                                          step->why ? ": " : "", step->why ? step->why : ""));
}

chains_status chainsi_step_promote(chainsi_database *database, void *arguments)
{
    chainsi_step *step = arguments;
    chainsi_stored_environment before;
    TRY(chainsi_stored_version_find(database, step->chain, step->version, step->arena,
                                    &step->found));
    TRY(read_environment(database, step, &before));
    step->now = before;
    if (before.version && !strcmp(before.version, step->found.id)) {
        step->outcome = CHAINSI_OUTCOME_STAYS;
        TRY(end_all(database, step, &before, "the version that answers was promoted"));
        return collect(database, step);
    }
    TRY(find_fit(database, step, step->found.id));
    if (before.canary_version && !strcmp(before.canary_version, step->found.id) &&
        step->canary.percent <= 0) {
        step->outcome = CHAINSI_OUTCOME_SWITCHES;
        TRY(end_transition(database, step, "the version that was tried has been promoted"));
        return switch_to(database, step, step->found.id, false);
    }
    TRY(end_all(database, step, &before, "another version is promoted"));
    TRY(begin_transition(database, step, false));
    return add_event(database, step, "promoting", step->found.id,
                     chainsi_arena_printf(step->arena, "version %s is promoted to '%s'",
                                          step->found.id, step->environment));
}

chains_status chainsi_step_roll_back(chainsi_database *database, void *arguments)
{
    static const char why[] = "it was rolled back";
    chainsi_step *step = arguments;
    chainsi_stored_transition transition;
    TRY(read_environment(database, step, &step->now));
    TRY(read_transition(database, step, &transition));
    const char *given_up = transition.version ? transition.version : step->now.canary_version;
    if (given_up && !step->now.version)
        return chainsi_database_fail(database, CHAINS_FAILED_PRECONDITION,
                                     "'%s' of '%s' is on its way to its first version",
                                     step->environment, step->chain);
    if (given_up) {
        step->outcome = CHAINSI_OUTCOME_STAYS;
        TRY(end_all(database, step, &step->now, why));
        TRY(collect(database, step));
        return add_event(database, step, "rolled_back", given_up,
                         chainsi_arena_printf(step->arena, "version %s is given up in '%s': %s",
                                              given_up, step->environment, why));
    }
    if (!step->now.version)
        return chainsi_database_fail(database, CHAINS_NOT_FOUND, "'%s' has no environment '%s'",
                                     step->chain, step->environment);
    if (!step->now.previous_version)
        return chainsi_database_fail(database, CHAINS_FAILED_PRECONDITION,
                                     "'%s' of '%s' has no previous version", step->environment,
                                     step->chain);
    TRY(find_fit(database, step, step->now.previous_version));
    TRY(begin_transition(database, step, true));
    return add_event(database, step, "rolling_back", step->found.id,
                     chainsi_arena_printf(step->arena, "'%s' goes back to version %s",
                                          step->environment, step->found.id));
}

/* Notes that a version is ready, if that is new, or something else was said of it. */
static chains_status note_ready(chainsi_database *database, chainsi_step *step)
{
    TRY(chainsi_stored_version_find(database, step->chain, step->version, step->arena,
                                    &step->found));
    if (step->found.state == CHAINSI_VERSION_READY && !step->found.message)
        return CHAINS_OK;
    return chainsi_stored_version_set_state(database, step->chain, step->found.id,
                                            CHAINSI_VERSION_READY, NULL);
}

chains_status chainsi_step_try(chainsi_database *database, void *arguments)
{
    enum { MS_PER_MINUTE = 60 * 1000 };
    chainsi_step *step = arguments;
    char until[CHAINSI_TIME_TEXT];
    chainsi_time_text_of(until,
                         chainsi_steady_ms() + (int64_t)(step->canary.minutes * MS_PER_MINUTE));
    TRY(note_ready(database, step));
    TRY(chainsi_stored_transition_remove(database, step->chain, step->environment));
    TRY(chainsi_stored_environment_try(
        database, &(chainsi_stored_environment){
                      .chain = step->chain,
                      .name = step->environment,
                      .canary_version = step->found.id,
                      .canary_percent = step->canary.percent,
                      .canary_max_error_rate_increase = step->canary.max_error_rate_increase,
                      .canary_max_p99_ratio = step->canary.max_p99_ratio,
                      .canary_until = until,
                  }));
    TRY(read_environment(database, step, &step->now));
    return add_event(
        database, step, "canary_began", step->found.id,
        chainsi_arena_printf(step->arena, "version %s gets %g %% of the calls of '%s' until %s",
                             step->found.id, step->canary.percent, step->environment, until));
}

chains_status chainsi_step_switch(chainsi_database *database, void *arguments)
{
    chainsi_step *step = arguments;
    chainsi_stored_transition transition;
    TRY(note_ready(database, step));
    TRY(read_transition(database, step, &transition));
    return switch_to(database, step, step->found.id, transition.back);
}

chains_status chainsi_step_give_up(chainsi_database *database, void *arguments)
{
    chainsi_step *step = arguments;
    TRY(read_environment(database, step, &step->now));
    bool tried = step->now.canary_version && !strcmp(step->now.canary_version, step->version);
    if (tried) {
        TRY(chainsi_stored_environment_stop_trying(database, step->chain, step->environment));
        /* It may be started again all the same; who looks at versions is to know. */
        TRY(chainsi_stored_version_set_state(
            database, step->chain, step->version, CHAINSI_VERSION_READY,
            chainsi_arena_printf(step->arena, "as a canary it was given up in '%s': %s",
                                 step->environment, step->why)));
    } else {
        TRY(end_transition(database, step, step->why));
    }
    TRY(collect(database, step));
    return add_event(database, step, tried ? "canary_rolled_back" : "deployment_failed",
                     step->version,
                     chainsi_arena_printf(step->arena, "version %s is given up in '%s': %s",
                                          step->version, step->environment, step->why));
}

chains_status chainsi_step_swap(chainsi_database *database, void *arguments)
{
    chainsi_step *step = arguments;
    chainsi_stored_transition transition;
    const char *other;
    step->outcome = CHAINSI_OUTCOME_STAYS;
    TRY(read_environment(database, step, &step->now));
    TRY(read_transition(database, step, &transition));
    if (!step->now.version || strcmp(step->now.version, step->version) != 0 ||
        step->now.canary_version || transition.version)
        return chainsi_database_fail(database, CHAINS_ABORTED,
                                     "'%s' of '%s' is on its way to another version",
                                     step->environment, step->chain);
    TRY(chainsi_stored_environment_find_other(database, step->chain, step->environment,
                                              step->version, step->arena, &other));
    if (other)
        return chainsi_database_fail(database, CHAINS_FAILED_PRECONDITION, CHAINSI_SWAP_OF_ANOTHER,
                                     step->version, other);
    TRY(chainsi_stored_version_set_deploy(database, step->chain, step->version, step->deploy));
    return add_event(database, step, "swapped", step->version,
                     chainsi_arena_printf(step->arena, "version %s in '%s' has other programs: %s",
                                          step->version, step->environment, step->why));
}

chains_status chainsi_step_forget_environment(chainsi_database *database, void *arguments)
{
    chainsi_step *step = arguments;
    chainsi_stored_transition transition;
    TRY(read_environment(database, step, &step->now));
    TRY(read_transition(database, step, &transition));
    TRY(end_all(database, step, &step->now, "its environment was deleted"));
    if (step->now.version || !transition.version)
        TRY(chainsi_stored_environment_remove(database, step->chain, step->environment));
    TRY(collect(database, step));
    return add_event(database, step, "environment_deleted", NULL,
                     chainsi_arena_printf(step->arena, "'%s' is deleted", step->environment));
}

chains_status chainsi_step_forget_version(chainsi_database *database, void *arguments)
{
    chainsi_step *step = arguments;
    TRY(chainsi_stored_version_find(database, step->chain, step->version, step->arena,
                                    &step->found));
    TRY(chainsi_stored_version_remove(database, step->chain, step->found.id));
    step->collected = chainsi_arena_array(step->arena, 1, sizeof *step->collected);
    step->collected[0] = step->found.number;
    step->collected_count = 1;
    return add_event(database, step, "version_deleted", step->found.id,
                     chainsi_arena_printf(step->arena, "version %s is deleted", step->found.id));
}

chains_status chainsi_step_condemn_chain(chainsi_database *database, void *arguments)
{
    const chainsi_step *step = arguments;
    return chainsi_stored_chain_condemn(database, step->chain);
}

chains_status chainsi_step_forget_chain(chainsi_database *database, void *arguments)
{
    const chainsi_step *step = arguments;
    TRY(chainsi_stored_chain_remove(database, step->chain));
    return add_event(database, step, "deleted", NULL,
                     chainsi_arena_printf(step->arena, "'%s' is deleted", step->chain));
}
