/* Environments. What changes in a deployment, and what is asked for, leads to a review, which comes from
 * the loop; steps are made durable one at a time and then carried out here. */
#include "control/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/chain.h"
#include "control/handle.h"
#include "control/home.h"
#include "control/pod_versions.h"
#include "control/steady.h"
#include "control/time_text.h"

enum {
    RETRY_MS = 2000,     /* after a step that could not be made durable: the disk is full */
    MOST_LOOK_MS = 2000, /* between two looks at a trial */
    LEAST_LOOK_MS = 50,
    LOOKS = 20, /* of a trial, if it is short */
};

static void review(chainsi_environment *environment);

static void on_review(uv_timer_t *timer)
{
    if (timer->data)
        review(timer->data);
}

static void ask_review(void *user)
{
    chainsi_environment *environment = user;
    uv_timer_start(environment->review, on_review, 0, 0);
}

static void set_state(chainsi_environment *environment, chainsi_environment_state state)
{
    static const char *const names[] = {
        [CHAINSI_ENVIRONMENT_SETTLED] = "settled",
        [CHAINSI_ENVIRONMENT_STARTING] = "starting",
        [CHAINSI_ENVIRONMENT_TRYING] = "trying",
        [CHAINSI_ENVIRONMENT_ENDING] = "ending",
    };
    if (state == environment->state)
        return;
    chainsi_say("%s %s: %s -> %s", environment->chain->name, environment->name,
                names[environment->state], names[state]);
    environment->state = state;
}

/* Intents. */

chainsi_intent *chainsi_intent_new(chainsi_change run, bool until_accepted)
{
    chainsi_intent *intent = chainsi_make(sizeof *intent);
    intent->run = run;
    intent->until_accepted = until_accepted;
    intent->write = chainsi_write_new(sizeof *intent->step);
    intent->step = intent->write->arguments;
    intent->step->arena = &intent->write->arena;
    return intent;
}

void chainsi_intent_free(chainsi_intent *intent)
{
    if (!intent)
        return;
    chainsi_write_free(intent->write);
    free(intent);
}

void chainsi_intent_end(chainsi_intent *intent, chains_status status, const char *why,
                        const chainsi_step *step)
{
    if (intent && intent->on_end)
        intent->on_end(intent->user, status, why, step);
    chainsi_intent_free(intent);
}

/* Tells whoever waits for what is under way. */
static void end_waiting(chainsi_environment *environment, chains_status status, const char *why)
{
    chainsi_intent *waiting = environment->waiting;
    environment->waiting = NULL;
    chainsi_intent_end(waiting, status, why, NULL);
}

void chainsi_environment_ask(chainsi_environment *environment, chainsi_intent *intent)
{
    intent->chain = environment->chain;
    intent->step->chain = environment->chain->name;
    intent->step->environment = environment->name;
    chainsi_intent **end = &environment->intents;
    while (*end)
        end = &(*end)->next;
    *end = intent;
    ask_review(environment);
}

/* Deployments. */

static const chainsi_stored_scale *find_scale(void *user, const char *chainlet)
{
    const chainsi_environment *environment = user;
    return chainsi_scales_find(&environment->scales, chainlet);
}

void chainsi_environment_scale(chainsi_environment *environment, const char *chainlet,
                               const chainsi_stored_scale *scale)
{
    chainsi_deployment *const both[] = { environment->current, environment->candidate };
    if (scale)
        chainsi_scales_set(&environment->scales, scale);
    else
        chainsi_scales_reset(&environment->scales, chainlet);
    for (size_t i = 0; i < sizeof both / sizeof *both; i++)
        if (both[i])
            chainsi_deployment_rescale(both[i], chainlet);
}

/* What a new deployment of the version is called: one that still ends may have the usual name. */
static const char *choose_run(const chainsi_environment *environment, int64_t version,
                              chainsi_arena *arena)
{
    const char *run = chainsi_arena_printf(arena, "%s/%lld", environment->name, (long long)version);
    const chainsi_deployment *others[] = { environment->current, environment->candidate,
                                           environment->failed };
    for (int number = 2;; number++) {
        bool taken = false;
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            taken = taken || (others[i] && !strcmp(others[i]->options.run, run));
        for (size_t i = 0; i < environment->retiring_count; i++)
            taken = taken || !strcmp(environment->retiring[i]->options.run, run);
        if (!taken)
            return run;
        run = chainsi_arena_printf(arena, "%s/%lld.%d", environment->name, (long long)version,
                                   number);
    }
}

static void on_exhausted(void *user, const char *chainlet, const char *how)
{
    const chainsi_environment *environment = user;
    chainsi_chain_tell_exhausted(environment->chain, environment->name, chainlet, how);
}

chainsi_deployment *chainsi_environment_deployment(chainsi_environment *environment,
                                                   const chainsi_stored_version *version,
                                                   const char *run, chainsi_deployment_begin begin)
{
    chainsi_registry *registry = environment->chain->registry;
    chainsi_api_deploy deploy = version->deploy;
    deploy.environment = environment->name; /* it may have been deployed to another one */
    chainsi_arena arena = { 0 };
    chainsi_deployment *deployment = chainsi_deployment_new(&(chainsi_deployment_options){
        .supervisor = registry->supervisor,
        .assets = registry->assets,
        .home = registry->home,
        .version = version->number,
        .id = version->id,
        .run = run ? run : choose_run(environment, version->number, &arena),
        .deploy = &deploy,
        .begin = registry->stopping ? CHAINSI_BEGIN_STOPPING : begin,
        .find_log = chainsi_chain_log_of,
        .log_user = environment->chain,
        .find_scale = find_scale,
        .on_change = ask_review,
        .on_exhausted = on_exhausted,
        .user = environment,
    });
    chainsi_arena_done(&arena);
    return deployment;
}

void chainsi_environment_retire(chainsi_environment *environment, chainsi_deployment *deployment)
{
    if (!deployment)
        return;
    chainsi_deployment **list =
        realloc(environment->retiring, (environment->retiring_count + 1) * sizeof *list);
    if (!list)
        abort();
    environment->retiring = list;
    list[environment->retiring_count++] = deployment;
    chainsi_deployment_stop(deployment);
    ask_review(environment);
}

static void free_retired(chainsi_environment *environment)
{
    bool any = false;
    for (size_t i = 0; i < environment->retiring_count;) {
        chainsi_deployment *deployment = environment->retiring[i];
        if (deployment->state != CHAINSI_DEPLOYMENT_STOPPED) {
            i++;
            continue;
        }
        environment->retiring[i] = environment->retiring[--environment->retiring_count];
        chainsi_deployment_free(deployment);
        any = true;
    }
    if (any)
        chainsi_chain_ask_review(environment->chain); /* its programs may go now */
}

/* Trials. */

static void end_trial(chainsi_environment *environment)
{
    if (!environment->trial)
        return;
    chainsi_handle_close(environment->trial->look);
    free(environment->trial);
    environment->trial = NULL;
}

/* A Chainlet that died too often: whatever its calls are, that is no good. NULL: none. */
static const chainsi_chainlet *find_failed(const chainsi_deployment *deployment)
{
    for (size_t i = 0; i < deployment->options.deploy->services.count; i++)
        if (chainsi_fleet_state(deployment->chainlets[i].fleet) == CHAINSI_REPLICA_FAILED)
            return &deployment->chainlets[i];
    return NULL;
}

static void on_look(uv_timer_t *timer)
{
    chainsi_environment *environment = timer->data;
    if (!environment)
        return;
    chainsi_trial *trial = environment->trial;
    if (trial->verdict != CHAINSI_CANARY_GOES_ON)
        return;
    const chainsi_chainlet *failed = find_failed(environment->candidate);
    if (failed) {
        snprintf(trial->why, sizeof trial->why, "its Chainlet '%s' has failed: %s",
                 failed->service->name, chainsi_fleet_last_end(failed->fleet));
        trial->verdict = CHAINSI_CANARY_ROLL_BACK;
        ask_review(environment);
        return;
    }
    trial->verdict =
        chainsi_canary_look(&trial->state, &trial->options, &trial->old_side, &trial->new_side,
                            chainsi_now_ns() - trial->began_ns, trial->why, sizeof trial->why);
    if (trial->verdict != CHAINSI_CANARY_GOES_ON)
        ask_review(environment);
}

/* What the state says tells only how long it was tried before a restart. */
static void set_times(chainsi_trial *trial, const chainsi_stored_environment *stored)
{
    int64_t now_ms = chainsi_steady_ms(), since_ms = now_ms, until_ms;
    if (stored->canary_since && chainsi_time_text_parse(stored->canary_since, &since_ms))
        snprintf(trial->since, sizeof trial->since, "%s", stored->canary_since);
    until_ms = since_ms;
    if (stored->canary_until && chainsi_time_text_parse(stored->canary_until, &until_ms))
        snprintf(trial->until, sizeof trial->until, "%s", stored->canary_until);
    int64_t passed_ms = now_ms > since_ms ? now_ms - since_ms : 0;
    int64_t duration_ms = until_ms > since_ms ? until_ms - since_ms : 0;
    trial->began_ns = chainsi_now_ns() - passed_ms * CHAINSI_NS_PER_MS;
    trial->options.duration_ns = duration_ms * CHAINSI_NS_PER_MS;
}

/* Begins to try the candidate, or goes on with it: what was counted before a restart is lost. */
static void begin_trial(chainsi_environment *environment, const chainsi_stored_environment *stored)
{
    static uint64_t last_number;
    chainsi_trial *trial = chainsi_make(sizeof *trial);
    trial->number = ++last_number;
    trial->percent = stored->canary_percent;
    trial->options = (chainsi_canary_options){
        .max_error_rate_increase = stored->canary_max_error_rate_increase,
        .max_p99_ratio = stored->canary_max_p99_ratio,
    };
    set_times(trial, stored);
    int64_t every_ms = trial->options.duration_ns / CHAINSI_NS_PER_MS / LOOKS;
    every_ms = every_ms > MOST_LOOK_MS ? MOST_LOOK_MS : every_ms;
    every_ms = every_ms < LEAST_LOOK_MS ? LEAST_LOOK_MS : every_ms;
    trial->look = chainsi_timer_new(environment->chain->registry->supervisor->loop, environment);
    uv_timer_start(trial->look, on_look, (uint64_t)every_ms, (uint64_t)every_ms);
    end_trial(environment);
    environment->trial = trial;
}

chainsi_deployment *chainsi_environment_pick(chainsi_environment *environment, uint64_t *trial,
                                             bool *is_new)
{
    *trial = 0;
    *is_new = false;
    if (!environment->trial || !environment->current)
        return environment->current;
    *trial = environment->trial->number;
    environment->trial->credit += environment->trial->percent;
    if (environment->trial->credit < 100)
        return environment->current;
    environment->trial->credit -= 100;
    *is_new = true;
    return environment->candidate;
}

void chainsi_environment_count(chainsi_environment *environment, uint64_t trial, bool is_new,
                               int status, int64_t ns)
{
    if (!environment->trial || environment->trial->number != trial)
        return;
    chainsi_canary_side *side =
        is_new ? &environment->trial->new_side : &environment->trial->old_side;
    side->calls++;
    side->failed += status >= 500;
    if (status < 400)
        chainsi_latency_add(&side->latency, ns);
}

/* Steps that are durable, in memory. */

static void note_environment(chainsi_environment *environment,
                             const chainsi_stored_environment *stored)
{
    free(environment->previous);
    environment->previous = chainsi_copy_text(stored->previous_version);
    snprintf(environment->deployed_at, sizeof environment->deployed_at, "%s",
             stored->version ? stored->since : "");
}

/* Gives up what is under way. */
static void give_up(chainsi_environment *environment, const char *why)
{
    end_trial(environment);
    chainsi_deployment *candidate = environment->candidate;
    environment->candidate = NULL;
    chainsi_environment_retire(environment, candidate);
    end_waiting(environment, CHAINS_ABORTED, why);
}

static void forget_failed(chainsi_environment *environment)
{
    chainsi_deployment *failed = environment->failed;
    environment->failed = NULL;
    chainsi_environment_retire(environment, failed);
}

static void carry_out_switch(chainsi_environment *environment, const chainsi_step *step)
{
    chainsi_deployment *before = environment->current;
    end_trial(environment);
    environment->current = environment->candidate;
    environment->candidate = NULL;
    note_environment(environment, &step->now);
    set_state(environment, CHAINSI_ENVIRONMENT_SETTLED);
    forget_failed(environment);
    chainsi_environment_retire(environment, before);
    end_waiting(environment, CHAINS_OK, "");
}

static void carry_out_try(chainsi_environment *environment, const chainsi_step *step)
{
    begin_trial(environment, &step->now);
    set_state(environment, CHAINSI_ENVIRONMENT_TRYING);
    forget_failed(environment);
    end_waiting(environment, CHAINS_OK, "");
}

static void carry_out_give_up(chainsi_environment *environment, const chainsi_step *step)
{
    chainsi_deployment *candidate = environment->candidate;
    end_trial(environment);
    environment->candidate = NULL;
    if (candidate->failure[0]) {
        forget_failed(environment);
        environment->failed = candidate;
    } else {
        chainsi_environment_retire(environment, candidate);
    }
    set_state(environment, CHAINSI_ENVIRONMENT_SETTLED);
    chainsi_say("%s %s: version %s is given up: %s", environment->chain->name, environment->name,
                step->version, step->why);
    end_waiting(environment, CHAINS_UNAVAILABLE, step->why);
}

/* What was accepted takes the place of what was under way. */
static void carry_out_accepted(chainsi_environment *environment, const chainsi_step *step)
{
    chainsi_intent *accepted = environment->accepting;
    char why[192];
    bool stays = step->outcome == CHAINSI_OUTCOME_STAYS;
    snprintf(why, sizeof why, "another change of '%s' has taken its place: %s%s", environment->name,
             stays ? step->now.version : step->found.id, stays ? " stays" : "");
    if (step->outcome == CHAINSI_OUTCOME_SWITCHES) {
        end_waiting(environment, CHAINS_ABORTED, why);
        carry_out_switch(environment, step);
    } else {
        give_up(environment, why);
        set_state(environment, CHAINSI_ENVIRONMENT_SETTLED);
    }
    if (step->outcome != CHAINSI_OUTCOME_STARTS)
        return;
    environment->canary = step->canary;
    set_state(environment, CHAINSI_ENVIRONMENT_STARTING);
    environment->candidate = chainsi_environment_deployment(environment, &step->found, NULL,
                                                            step->deploy ? CHAINSI_BEGIN_COPYING
                                                                         : CHAINSI_BEGIN_STARTING);
    if (accepted->until_accepted)
        return;
    environment->accepting = NULL;
    environment->waiting = accepted;
}

static void carry_out_forget(chainsi_environment *environment, const chainsi_step *step)
{
    (void)step;
    chainsi_intent *accepted = environment->accepting;
    environment->accepting = NULL;
    chainsi_environment_end(environment, true);
    environment->waiting = accepted;
}

/* The deployment has it already, and is told next. */
static void carry_out_swap(chainsi_environment *environment, const chainsi_step *step)
{
    (void)environment;
    (void)step;
}

/* What those are told who wait for an environment that is being ended. */
static chains_status end_status(const chainsi_environment *environment)
{
    return environment->forgotten ? CHAINS_ABORTED : CHAINS_UNAVAILABLE;
}

static const char *end_reason(const chainsi_environment *environment)
{
    return environment->forgotten ? "it is being deleted" : "chainsd is stopping";
}

/* Steps on their way. */

static void on_step_end(chainsi_write *write, chains_status status, const char *why)
{
    chainsi_environment *environment = write->user;
    const chainsi_step *step = write->arguments;
    environment->writing = false;
    chainsi_chain *chain = environment->chain;
    if (status == CHAINS_OK) {
        chain->stored = true;
        chainsi_chain_collect(chain, step->collected, step->collected_count);
        if (environment->state != CHAINSI_ENVIRONMENT_ENDING)
            environment->carry_out(environment, step);
    } else if (!environment->accepting) {
        chainsi_say("%s %s: cannot keep what has changed: %s", chain->name, environment->name, why);
    }
    bool again = status != CHAINS_OK && !environment->accepting;
    chainsi_intent *accepted = environment->accepting;
    environment->accepting = NULL;
    bool undone = status == CHAINS_OK && accepted && !accepted->until_accepted &&
                  environment->state == CHAINSI_ENVIRONMENT_ENDING &&
                  step->outcome == CHAINSI_OUTCOME_STARTS;
    if (undone)
        chainsi_intent_end(accepted, end_status(environment), end_reason(environment), NULL);
    else
        chainsi_intent_end(accepted, status, why, step);
    uv_timer_start(environment->review, on_review, again ? RETRY_MS : 0, 0);
}

static void begin_step(chainsi_environment *environment, chainsi_write *write, chainsi_change run,
                       void (*carry_out)(chainsi_environment *, const chainsi_step *))
{
    environment->writing = true;
    environment->carry_out = carry_out;
    write->run = run;
    write->on_end = on_step_end;
    write->user = environment;
    chainsi_store_write(environment->chain->registry->store, write);
}

/* A step of its own accord, with the candidate. */
static void begin_own_step(chainsi_environment *environment, chainsi_change run,
                           void (*carry_out)(chainsi_environment *, const chainsi_step *),
                           const char *why)
{
    chainsi_write *write = chainsi_write_new(sizeof(chainsi_step));
    chainsi_step *step = write->arguments;
    *step = (chainsi_step){
        .arena = &write->arena,
        .chain = environment->chain->name,
        .environment = environment->name,
        /* If the environment ends meanwhile the candidate may be gone before this step is made. */
        .version = chainsi_arena_strdup(&write->arena, environment->candidate->options.id),
        .canary = environment->canary,
        .why = chainsi_arena_strdup(&write->arena, why),
    };
    begin_step(environment, write, run, carry_out);
}

static void begin_intent(chainsi_environment *environment)
{
    chainsi_intent *intent = environment->intents;
    environment->intents = intent->next;
    environment->accepting = intent;
    chainsi_write *write = intent->write;
    intent->write = NULL;
    begin_step(environment, write, intent->run,
               intent->run == chainsi_step_forget_environment ? carry_out_forget
               : intent->run == chainsi_step_swap             ? carry_out_swap
                                                              : carry_out_accepted);
}

static void review_starting(chainsi_environment *environment)
{
    const chainsi_deployment *candidate = environment->candidate;
    if (candidate->failure[0]) {
        char why[sizeof candidate->failure + 256];
        snprintf(why, sizeof why, "%s%s%s",
                 candidate->failed_chainlet ? candidate->failed_chainlet : "",
                 candidate->failed_chainlet ? ": " : "", candidate->failure);
        begin_own_step(environment, chainsi_step_give_up, carry_out_give_up, why);
    } else if (candidate->state == CHAINSI_DEPLOYMENT_RUNNING) {
        if (environment->canary.percent > 0 && environment->current)
            begin_own_step(environment, chainsi_step_try, carry_out_try, NULL);
        else
            begin_own_step(environment, chainsi_step_switch, carry_out_switch, NULL);
    }
}

static void review_trying(chainsi_environment *environment)
{
    const chainsi_trial *trial = environment->trial;
    if (trial->verdict == CHAINSI_CANARY_PROMOTE)
        begin_own_step(environment, chainsi_step_switch, carry_out_switch, trial->why);
    else if (trial->verdict == CHAINSI_CANARY_ROLL_BACK)
        begin_own_step(environment, chainsi_step_give_up, carry_out_give_up, trial->why);
}

bool chainsi_environment_is_empty(const chainsi_environment *environment)
{
    return !environment->current && !environment->candidate && !environment->failed &&
           !environment->retiring_count && !environment->writing && !environment->intents;
}

/* The one place where is decided what becomes of an environment. */
static void review(chainsi_environment *environment)
{
    free_retired(environment);
    if (!environment->writing && environment->state == CHAINSI_ENVIRONMENT_STARTING)
        review_starting(environment);
    if (!environment->writing && environment->state == CHAINSI_ENVIRONMENT_TRYING)
        review_trying(environment);
    if (!environment->writing && environment->intents &&
        environment->state != CHAINSI_ENVIRONMENT_ENDING)
        begin_intent(environment);
    chainsi_pod_versions_review_later(environment->chain->registry->pod_versions);
    if (chainsi_environment_is_empty(environment))
        chainsi_chain_ask_review(environment->chain);
}

/* Its beginning and end. */

chainsi_environment *chainsi_environment_new(chainsi_chain *chain, const char *name)
{
    chainsi_environment *environment = chainsi_make(sizeof *environment);
    environment->chain = chain;
    environment->name = chainsi_copy_text(name);
    environment->review = chainsi_timer_new(chain->registry->supervisor->loop, environment);
    return environment;
}

void chainsi_environment_free(chainsi_environment *environment)
{
    end_waiting(environment, CHAINS_OK, ""); /* for its end */
    chainsi_handle_close(environment->review);
    free(environment->retiring);
    free(environment->previous);
    chainsi_scales_done(&environment->scales);
    free(environment->name);
    free(environment);
}

void chainsi_environment_end(chainsi_environment *environment, bool forgotten)
{
    if (environment->state == CHAINSI_ENVIRONMENT_ENDING)
        return;
    environment->forgotten = forgotten;
    end_trial(environment);
    end_waiting(environment, end_status(environment), end_reason(environment));
    while (environment->intents) {
        chainsi_intent *intent = environment->intents;
        environment->intents = intent->next;
        chainsi_intent_end(intent, end_status(environment), end_reason(environment), NULL);
    }
    set_state(environment, CHAINSI_ENVIRONMENT_ENDING);
    chainsi_deployment *all[] = { environment->current, environment->candidate,
                                  environment->failed };
    environment->current = environment->candidate = environment->failed = NULL;
    for (size_t i = 0; i < environment->retiring_count; i++)
        chainsi_deployment_stop(environment->retiring[i]);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        chainsi_environment_retire(environment, all[i]);
    ask_review(environment);
}

/* Taking up. */

void chainsi_environment_take_current(chainsi_environment *environment,
                                      chainsi_deployment *deployment,
                                      const chainsi_stored_environment *stored)
{
    environment->current = deployment;
    note_environment(environment, stored);
}

void chainsi_environment_take_trial(chainsi_environment *environment,
                                    chainsi_deployment *deployment,
                                    const chainsi_stored_environment *stored)
{
    environment->candidate = deployment;
    begin_trial(environment, stored);
    set_state(environment, CHAINSI_ENVIRONMENT_TRYING);
}

void chainsi_environment_take_candidate(chainsi_environment *environment,
                                        chainsi_deployment *deployment,
                                        const chainsi_api_canary *canary)
{
    environment->candidate = deployment;
    environment->canary = *canary;
    set_state(environment, CHAINSI_ENVIRONMENT_STARTING);
    ask_review(environment);
}
