/* The list of chains, and requests that are about one of them by name. */
#include "control/registry.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/chain.h"
#include "control/handle.h"

chainsi_registry *chainsi_registry_new(chainsi_supervisor *supervisor, chainsi_store *store,
                                       const char *home, void (*on_stopped)(void *user), void *user)
{
    chainsi_registry *registry = chainsi_make(sizeof *registry);
    registry->supervisor = supervisor;
    registry->store = store;
    registry->home = chainsi_copy_text(home);
    registry->assets = chainsi_assets_new(supervisor->loop, supervisor->courier, home, NULL);
    registry->sweep = chainsi_sweep_new(supervisor->loop, home, store, CHAINSI_SWEEP_SPARES_S);
    registry->on_stopped = on_stopped;
    registry->user = user;
    registry->stopped = chainsi_timer_new(supervisor->loop, registry);
    return registry;
}

void chainsi_registry_free(chainsi_registry *registry)
{
    if (!registry)
        return;
    chainsi_handle_close(registry->stopped);
    chainsi_sweep_free(registry->sweep);
    chainsi_assets_free(registry->assets);
    free(registry->home);
    free(registry);
}

chainsi_chain *chainsi_registry_find(const chainsi_registry *registry, chainsi_slice name)
{
    for (chainsi_chain *chain = registry->chains; chain; chain = chain->next)
        if (chainsi_slice_is(name, chain->name))
            return chain->deleting ? NULL : chain;
    return NULL;
}

/* The environment to ask; NULL with a reason. */
static chainsi_environment *open_environment(chainsi_registry *registry, const char *chain_name,
                                             const char *name, char *why, size_t why_size,
                                             chains_status *status)
{
    *status = CHAINS_UNAVAILABLE;
    if (registry->stopping) {
        snprintf(why, why_size, "chainsd is stopping");
        return NULL;
    }
    *status = CHAINS_ABORTED;
    chainsi_chain *chain = registry->chains;
    while (chain && strcmp(chain->name, chain_name) != 0)
        chain = chain->next;
    if (chain && chain->deleting) {
        snprintf(why, why_size, "'%s' is being deleted", chain_name);
        return NULL;
    }
    if (!chain)
        chain = chainsi_chain_new(registry, chain_name);
    chainsi_environment *environment = chainsi_chain_make_environment(chain, name);
    if (!environment)
        snprintf(why, why_size, "the environment '%s' of '%s' is being deleted", name, chain_name);
    return environment;
}

chains_status chainsi_registry_ask(chainsi_registry *registry, const char *chain,
                                   const char *environment, chainsi_intent *intent, char *why,
                                   size_t why_size)
{
    chains_status status;
    chainsi_environment *found =
        open_environment(registry, chain, environment, why, why_size, &status);
    if (!found) {
        chainsi_intent_free(intent);
        return status;
    }
    chainsi_environment_ask(found, intent);
    return CHAINS_OK;
}

/* In a cluster programs are brought by images. */
static chains_status check_objects(const chainsi_api_deploy *deploy, char *why, size_t why_size)
{
    for (size_t i = 0; i < deploy->services.count; i++) {
        if (deploy->services.items[i].object)
            continue;
        snprintf(why, why_size,
                 "this daemon controls a cluster, and runs no programs of this machine: "
                 "`chains deploy --target kubernetes` deploys there");
        return CHAINS_FAILED_PRECONDITION;
    }
    return CHAINS_OK;
}

chains_status chainsi_registry_check(const chainsi_registry *registry,
                                     const chainsi_api_deploy *deploy, char *why, size_t why_size)
{
    const chainsi_supervisor *supervisor = registry->supervisor;
    chains_status status = chainsi_api_check_deploy(deploy, why, why_size);
    if (status == CHAINS_OK && supervisor->pods)
        return check_objects(deploy, why,
                             why_size); /* secrets and GPUs are the cluster's to have */
    if (status == CHAINS_OK)
        status = chainsi_vault_check(supervisor->vault, deploy, why, why_size);
    if (status == CHAINS_OK && chainsi_gpu_pool_is_asked(deploy) &&
        !chainsi_gpu_pool_check(supervisor->gpus, deploy, why, why_size))
        status = CHAINS_FAILED_PRECONDITION;
    return status;
}

chains_status chainsi_registry_deploy(chainsi_registry *registry, const chainsi_api_deploy *deploy,
                                      chainsi_intent *intent, char *why, size_t why_size)
{
    chains_status status = chainsi_registry_check(registry, deploy, why, why_size);
    if (status != CHAINS_OK) {
        chainsi_intent_free(intent);
        return status;
    }
    intent->step->deploy = deploy;
    intent->step->canary = deploy->canary;
    return chainsi_registry_ask(registry, deploy->chain, deploy->environment, intent, why,
                                why_size);
}

chains_status chainsi_registry_check_secrets(const chainsi_registry *registry, const char *chain,
                                             const char *environment, const char *version,
                                             char *why, size_t why_size)
{
    chainsi_database *reader = chainsi_store_reader(registry->store);
    const chainsi_chain *found =
        chainsi_registry_find(registry, (chainsi_slice){ chain, strlen(chain) });
    const chainsi_environment *at = found ? chainsi_chain_environment(found, environment) : NULL;
    if (!version && at && !at->candidate)
        version = at->previous;
    if (!version || registry->supervisor->pods)
        return CHAINS_OK;
    chainsi_arena arena = { 0 };
    chainsi_stored_version stored;
    chains_status status = CHAINS_OK;
    if (chainsi_stored_version_find(reader, chain, version, &arena, &stored) == CHAINS_OK)
        status = chainsi_vault_check(registry->supervisor->vault, &stored.deploy, why, why_size);
    chainsi_arena_done(&arena);
    return status;
}

bool chainsi_registry_has_version(const chainsi_registry *registry, const char *chain,
                                  const char *version)
{
    chainsi_arena arena = { 0 };
    chainsi_stored_version stored;
    bool found = chainsi_stored_version_find(chainsi_store_reader(registry->store), chain, version,
                                             &arena, &stored) == CHAINS_OK;
    chainsi_arena_done(&arena);
    return found;
}

/* Ending. */

static void on_all_stopped(uv_timer_t *timer)
{
    chainsi_registry *registry = timer->data;
    if (!registry)
        return;
    chainsi_handle_close(registry->stopped);
    registry->stopped = NULL;
    registry->on_stopped(registry->user);
}

void chainsi_registry_review(chainsi_registry *registry)
{
    if (registry->stopping && !registry->chains && registry->stopped)
        uv_timer_start(registry->stopped, on_all_stopped, 0, 0);
}

void chainsi_registry_stop(chainsi_registry *registry)
{
    registry->stopping = true;
    registry->supervisor->releasing = true;
    chainsi_sweep_free(registry->sweep);
    registry->sweep = NULL;
    for (chainsi_chain *chain = registry->chains; chain; chain = chain->next)
        chainsi_chain_stop(chain);
    chainsi_registry_review(registry);
}

void chainsi_registry_kill(chainsi_registry *registry)
{
    for (chainsi_replica *replica = registry->supervisor->replicas; replica;
         replica = replica->next)
        chainsi_replica_kill(replica);
}

void chainsi_registry_bury(chainsi_registry *registry)
{
    for (const chainsi_replica *replica = registry->supervisor->replicas; replica;
         replica = replica->next)
        if (replica->pid)
            kill(-replica->pid, SIGKILL);
}
