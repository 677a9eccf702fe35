/* Chains. What has ended asks for a review, which comes from the loop: it frees what is left of
 * environments, removes programs that nothing runs any more, and leads a deletion to its end. */
#include "control/chain.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/handle.h"
#include "control/home.h"
#include "control/pod_versions.h"
#include "control/sampler.h"
#include "control/store_history.h"

enum { RETRY_MS = 2000 /* after a step that could not be made durable: the disk is full */ };

static void review(chainsi_chain *chain);

static void on_review(uv_timer_t *timer)
{
    if (timer->data)
        review(timer->data);
}

void chainsi_chain_ask_review(chainsi_chain *chain)
{
    uv_timer_start(chain->review, on_review, 0, 0);
}

/* Logs. */

chainsi_log *chainsi_chain_log_of(void *user, const char *name)
{
    chainsi_chain *chain = user;
    for (const chainsi_chain_log *each = chain->logs; each; each = each->next)
        if (!strcmp(each->name, name))
            return each->log;
    char *folder = chainsi_path("%s/logs/%s", chain->registry->home, chain->name);
    char *path = chainsi_path("%s/%s.log", folder, name);
    if (!chainsi_make_folders(folder))
        chainsi_say("cannot make %s: %s", folder, strerror(errno));
    chainsi_chain_log *log = chainsi_make(sizeof *log);
    log->name = chainsi_copy_text(name);
    log->log = chainsi_log_new(path, &chain->followers);
    chainsi_log_redact(log->log, chainsi_vault_redactor(chain->registry->supervisor->vault));
    log->next = chain->logs;
    chain->logs = log;
    free(path);
    free(folder);
    return log->log;
}

/* Its beginning and end. */

chainsi_chain *chainsi_chain_new(chainsi_registry *registry, const char *name)
{
    chainsi_chain *chain = chainsi_make(sizeof *chain);
    chain->registry = registry;
    chain->name = chainsi_copy_text(name);
    chain->review = chainsi_timer_new(registry->supervisor->loop, chain);
    chainsi_chain **at = &registry->chains;
    while (*at && strcmp((*at)->name, name) < 0)
        at = &(*at)->next;
    chain->next = *at;
    *at = chain;
    return chain;
}

static void free_chain(chainsi_chain *chain)
{
    chainsi_registry *registry = chain->registry;
    chainsi_chain **at = &registry->chains;
    while (*at != chain)
        at = &(*at)->next;
    *at = chain->next;
    chainsi_log_hub_end(&chain->followers);
    while (chain->logs) {
        chainsi_chain_log *log = chain->logs;
        chain->logs = log->next;
        chainsi_log_free(log->log);
        free((char *)log->name);
        free(log);
    }
    chainsi_meters_forget(registry->supervisor->meters, chain->name);
    chainsi_sampler_forget(registry->supervisor->sampler, chain->name);
    chainsi_handle_close(chain->review);
    free(chain->collected);
    free(chain->name);
    free(chain);
    chainsi_registry_review(registry);
}

/* Environments. */

chainsi_environment *chainsi_chain_environment(const chainsi_chain *chain, const char *name)
{
    for (chainsi_environment *each = chain->environments; each; each = each->next)
        if (!strcmp(each->name, name))
            return each->state == CHAINSI_ENVIRONMENT_ENDING ? NULL : each;
    return NULL;
}

chainsi_environment *chainsi_chain_make_environment(chainsi_chain *chain, const char *name)
{
    chainsi_environment **at = &chain->environments;
    while (*at && strcmp((*at)->name, name) < 0)
        at = &(*at)->next;
    if (*at && !strcmp((*at)->name, name))
        return (*at)->state == CHAINSI_ENVIRONMENT_ENDING ? NULL : *at;
    chainsi_environment *environment = chainsi_environment_new(chain, name);
    environment->next = *at;
    *at = environment;
    return environment;
}

/* Whether people may call its version so. */
static bool is_called(const chainsi_deployment *deployment, const char *name)
{
    const char *digits = name + (*name == 'v');
    char *end;
    if (!strcmp(deployment->options.id, name))
        return true;
    return isdigit((unsigned char)*digits) &&
           strtoll(digits, &end, 10) == deployment->options.version && !*end;
}

chainsi_deployment *chainsi_chain_running(const chainsi_chain *chain, const char *name)
{
    chainsi_deployment *found = NULL;
    for (const chainsi_environment *each = chain->environments; each; each = each->next) {
        chainsi_deployment *const both[] = { each->current, each->candidate };
        for (size_t i = 0; i < sizeof both / sizeof *both; i++)
            if (both[i] && both[i]->state == CHAINSI_DEPLOYMENT_RUNNING &&
                is_called(both[i], name) && (!found || !strcmp(each->name, CHAINSI_PRODUCTION)))
                found = both[i];
    }
    return found;
}

static void free_environments(chainsi_chain *chain)
{
    for (chainsi_environment **at = &chain->environments; *at;) {
        chainsi_environment *environment = *at;
        if (!chainsi_environment_is_empty(environment)) {
            at = &environment->next;
            continue;
        }
        *at = environment->next;
        if (environment->forgotten) {
            char *path =
                chainsi_path("%s/run/%s/%s", chain->registry->home, chain->name, environment->name);
            if (!chainsi_remove_tree(path))
                chainsi_say("cannot remove %s: %s", path, strerror(errno));
            free(path);
        }
        chainsi_environment_free(environment);
    }
}

/* Programs. */

static bool is_run_by(const chainsi_deployment *deployment, int64_t version)
{
    return deployment && deployment->options.version == version &&
           deployment->state != CHAINSI_DEPLOYMENT_STOPPED;
}

static bool is_run(const chainsi_chain *chain, int64_t version)
{
    for (const chainsi_environment *each = chain->environments; each; each = each->next) {
        if (is_run_by(each->current, version) || is_run_by(each->candidate, version) ||
            is_run_by(each->failed, version))
            return true;
        for (size_t i = 0; i < each->retiring_count; i++)
            if (is_run_by(each->retiring[i], version))
                return true;
    }
    return false;
}

static void remove_programs(chainsi_chain *chain)
{
    size_t left = 0;
    for (size_t i = 0; i < chain->collected_count; i++) {
        if (is_run(chain, chain->collected[i])) {
            chain->collected[left++] = chain->collected[i];
            continue;
        }
        chainsi_pod_versions_remove(chain->registry->pod_versions, chain->name,
                                    chain->collected[i]);
        char *path = chainsi_path("%s/chains/%s/%lld", chain->registry->home, chain->name,
                                  (long long)chain->collected[i]);
        if (!chainsi_remove_tree(path))
            chainsi_say("cannot remove %s: %s", path, strerror(errno));
        free(path);
        chainsi_sweep_ask(chain->registry->sweep);
    }
    chain->collected_count = left;
}

void chainsi_chain_collect(chainsi_chain *chain, const int64_t *versions, size_t count)
{
    if (!count)
        return;
    int64_t *all = realloc(chain->collected, (chain->collected_count + count) * sizeof *all);
    if (!all)
        abort();
    memcpy(all + chain->collected_count, versions, count * sizeof *all);
    chain->collected = all;
    chain->collected_count += count;
    chainsi_chain_ask_review(chain);
}

/* Deletion: it is made durable that the chain is to go, its processes end, its files go, and then the
 * state forgets it. */

static void tell_deleted(chainsi_chain *chain, chains_status status, const char *why)
{
    chainsi_on_deleted on_deleted = chain->on_deleted;
    chain->on_deleted = NULL;
    if (on_deleted)
        on_deleted(chain->deleted_user, status, why);
}

static void write_step(chainsi_chain *chain, chainsi_change run,
                       void (*on_end)(chainsi_write *, chains_status, const char *))
{
    chainsi_write *write = chainsi_write_new(sizeof(chainsi_step));
    chainsi_step *step = write->arguments;
    *step = (chainsi_step){ .arena = &write->arena, .chain = chain->name };
    write->run = run;
    write->on_end = on_end;
    write->user = chain;
    chain->writing++;
    chainsi_store_write(chain->registry->store, write);
}

static void on_condemned(chainsi_write *write, chains_status status, const char *why)
{
    chainsi_chain *chain = write->user;
    chain->writing--;
    chain->deleting = chain->condemned = status == CHAINS_OK;
    if (status == CHAINS_OK)
        chainsi_chain_delete_on(chain);
    else
        tell_deleted(chain, status, why);
    chainsi_chain_ask_review(chain);
}

void chainsi_chain_delete(chainsi_chain *chain, chainsi_on_deleted on_deleted, void *user)
{
    chain->deleting = true;
    chain->on_deleted = on_deleted;
    chain->deleted_user = user;
    write_step(chain, chainsi_step_condemn_chain, on_condemned);
}

void chainsi_chain_delete_on(chainsi_chain *chain)
{
    chain->deleting = chain->condemned = true;
    for (chainsi_environment *each = chain->environments; each; each = each->next)
        chainsi_environment_end(each, true);
    chainsi_chain_ask_review(chain);
}

void chainsi_chain_stop(chainsi_chain *chain)
{
    for (chainsi_environment *each = chain->environments; each; each = each->next)
        chainsi_environment_end(each, false);
    chainsi_chain_ask_review(chain);
}

static void on_version_forgotten(chainsi_write *write, chains_status status, const char *why)
{
    chainsi_intent *intent = write->user;
    chainsi_chain *chain = intent->chain;
    const chainsi_step *step = write->arguments;
    chain->writing--;
    if (status == CHAINS_OK)
        chainsi_chain_collect(chain, step->collected, step->collected_count);
    chainsi_intent_end(intent, status, why, step);
    chainsi_chain_ask_review(chain);
}

void chainsi_chain_forget_version(chainsi_chain *chain, chainsi_intent *intent)
{
    chainsi_write *write = intent->write;
    intent->write = NULL;
    intent->chain = chain;
    intent->step->chain = chain->name;
    write->run = intent->run;
    write->on_end = on_version_forgotten;
    write->user = intent;
    chain->writing++;
    chainsi_store_write(chain->registry->store, write);
}

static void on_forgotten(chainsi_write *write, chains_status status, const char *why)
{
    chainsi_chain *chain = write->user;
    chain->writing--;
    if (status != CHAINS_OK && status != CHAINS_NOT_FOUND) {
        chainsi_say("cannot forget %s: %s", chain->name, why);
        uv_timer_start(chain->review, on_review, RETRY_MS, 0);
        return;
    }
    chainsi_say("%s: deleted", chain->name);
    chainsi_sweep_ask(chain->registry->sweep);
    tell_deleted(chain, CHAINS_OK, "");
    free_chain(chain);
}

static void finish_deletion(chainsi_chain *chain)
{
    const char *kinds[] = { "chains", "run", "logs" };
    chainsi_pod_versions_remove_all(chain->registry->pod_versions, chain->name);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char *path = chainsi_path("%s/%s/%s", chain->registry->home, kinds[i], chain->name);
        if (!chainsi_remove_tree(path))
            chainsi_say("cannot remove %s: %s", path, strerror(errno));
        free(path);
    }
    write_step(chain, chainsi_step_forget_chain, on_forgotten);
}

static void review(chainsi_chain *chain)
{
    free_environments(chain);
    remove_programs(chain);
    if (chain->environments || chain->writing)
        return;
    if (chain->condemned)
        finish_deletion(chain);
    else if (chain->registry->stopping || !chain->stored)
        free_chain(chain);
}

/* Events. */

/* Adds the one that is its argument. */
static chains_status add_event(chainsi_database *database, void *arguments)
{
    return chainsi_stored_event_add(database, arguments);
}

void chainsi_chain_tell_exhausted(const chainsi_chain *chain, const char *environment,
                                  const char *chainlet, const char *how)
{
    chainsi_stored_event *event;
    chainsi_write *write = chainsi_write_new(sizeof *event);
    chainsi_arena *arena = &write->arena;
    event = write->arguments;
    *event = (chainsi_stored_event){
        .kind = "out_of_memory",
        .chain = chainsi_arena_strdup(arena, chain->name),
        .chainlet = chainsi_arena_strdup(arena, chainlet),
        .message = chainsi_arena_printf(arena, "%s in %s: %s", chainlet, environment, how),
    };
    write->run = add_event;
    chainsi_store_write(chain->registry->store, write);
}
