/* What the API says of a chain: its deployments' states put into the API's structs. */
#include <string.h>

#include "control/chain.h"
#include "control/obituary.h"

static void describe_replica(const chainsi_replica *replica, chainsi_arena *arena,
                             chainsi_api_replica *description)
{
    char death[CHAINSI_REPLICA_DEATH_TEXT];
    chainsi_obituary_text(replica, death);
    *description = (chainsi_api_replica){
        .state = chainsi_replica_state_name(replica->state),
        .number = replica->options.number,
        .pid = replica->pid,
        .pod = replica->pod ? chainsi_arena_strdup(arena, replica->pod) : NULL,
        .node = replica->pod ? chainsi_arena_strdup(arena, replica->node) : NULL,
        .restarts = replica->starts ? (int64_t)replica->starts - 1 : 0,
        .since = chainsi_arena_strdup(arena, replica->since),
        .last_end = death[0] ? chainsi_arena_strdup(arena, death) : NULL,
        .gpus = chainsi_gpu_pool_describe(replica->options.supervisor->gpus, &replica->outfit.gpus,
                                          arena),
    };
}

static size_t count_places(const chainsi_fleet *fleet)
{
    return fleet ? fleet->place_count : 0;
}

static void describe_replicas(const chainsi_fleet *fleet, chainsi_arena *arena,
                              chainsi_api_replicas *list)
{
    for (size_t i = 0; i < count_places(fleet); i++)
        if (fleet->places[i].replica)
            describe_replica(fleet->places[i].replica, arena, &list->items[list->count++]);
}

static void describe_chainlet(const chainsi_chainlet *chainlet, chainsi_arena *arena,
                              chainsi_api_chainlet *item)
{
    const chainsi_fleet *fleet = chainlet->fleet;
    const chainsi_deployment_options *options = &chainlet->deployment->options;
    *item = (chainsi_api_chainlet){
        .name = chainlet->service->name,
        .state = chainsi_chainlet_is_at_zero(chainlet)
                     ? "at_zero"
                     : chainsi_replica_state_name(chainsi_fleet_state(fleet)),
        .ready = chainsi_fleet_count(fleet).ready,
        .wanted = fleet ? fleet->wanted : 0,
        .dependencies = chainlet->service->dependencies,
        .notes = chainlet->notes,
        .scaling = chainsi_api_scaling_of(&chainlet->scaling),
        .override = options->find_scale(options->user, chainlet->service->name),
    };
    if (chainlet->scaler) {
        chainsi_demand demand = chainsi_scaler_measure(chainlet->scaler);
        item->in_flight = demand.running;
        item->waiting = demand.waiting;
    }
    size_t places = count_places(fleet) + count_places(chainlet->coming);
    for (const chainsi_fleet *each = chainlet->leaving; each; each = each->next)
        places += count_places(each);
    item->replicas.items = chainsi_arena_array(arena, places, sizeof *item->replicas.items);
    describe_replicas(fleet, arena, &item->replicas);
    describe_replicas(chainlet->coming, arena, &item->replicas);
    for (const chainsi_fleet *each = chainlet->leaving; each; each = each->next)
        describe_replicas(each, arena, &item->replicas);
}

static chainsi_api_chainlets describe_chainlets(const chainsi_deployment *deployment,
                                                chainsi_arena *arena)
{
    size_t count = deployment->options.deploy->services.count;
    chainsi_api_chainlets list = {
        .items = chainsi_arena_array(arena, count, sizeof *list.items),
        .count = count,
    };
    for (size_t i = 0; i < count; i++) {
        describe_chainlet(&deployment->chainlets[i], arena, &list.items[i]);
        list.items[i].entrypoint = i == deployment->entrypoint;
    }
    return list;
}

/* What callers of the environment can expect. */
static const char *state_of(const chainsi_environment *environment)
{
    const chainsi_deployment *current = environment->current;
    if (!current)
        return environment->candidate && !environment->candidate->failure[0] ? "starting"
                                                                             : "failed";
    bool all_well = true;
    for (size_t i = 0; i < current->options.deploy->services.count; i++) {
        const chainsi_chainlet *chainlet = &current->chainlets[i];
        if (chainsi_fleet_state(chainlet->fleet) == CHAINSI_REPLICA_FAILED)
            return "failed";
        all_well = all_well && chainsi_chainlet_is_well(chainlet);
    }
    return all_well ? "ready" : "degraded";
}

static chainsi_api_canary_side describe_side(const chainsi_canary_side *side)
{
    return (chainsi_api_canary_side){
        .calls = (int64_t)side->calls,
        .failed = (int64_t)side->failed,
        .p99_ms = (double)chainsi_latency_quantile(&side->latency, 0.99) / 1e6,
    };
}

static const chainsi_api_trial *describe_trial(const chainsi_environment *environment,
                                               chainsi_arena *arena)
{
    const chainsi_trial *trial = environment->trial;
    if (!trial)
        return NULL;
    chainsi_api_trial *description = chainsi_arena_alloc(arena, sizeof *description);
    *description = (chainsi_api_trial){
        .version_id = environment->candidate->options.id,
        .percent = trial->percent,
        .since = trial->since,
        .until = trial->until,
        .old_version = describe_side(&trial->old_side),
        .new_version = describe_side(&trial->new_side),
    };
    return description;
}

static const chainsi_api_fetched *describe_fetched(const chainsi_asset_folders *assets,
                                                   chainsi_arena *arena)
{
    if (!assets)
        return NULL;
    const chainsi_assets_progress *progress = &assets->progress;
    chainsi_api_fetched *description = chainsi_arena_alloc(arena, sizeof *description);
    *description = (chainsi_api_fetched){
        .files = (int64_t)progress->files,
        .files_done = (int64_t)progress->files_done,
        .bytes = progress->size,
        .bytes_done = progress->done,
        .bytes_per_s = progress->rate,
        .verifying = progress->verifying,
        .trouble = progress->trouble,
    };
    return description;
}

bool chainsi_environment_describe(const chainsi_environment *environment, const char *base_url,
                                  chainsi_arena *arena, chainsi_api_chain *description)
{
    const chainsi_deployment *current = environment->current, *failed = environment->failed;
    const chainsi_deployment *latest = environment->candidate ? environment->candidate
                                       : failed               ? failed
                                                              : current;
    const chainsi_deployment *shown = current ? current : latest;
    if (!shown)
        return false;
    const char *chain = environment->chain->name;
    *description = (chainsi_api_chain){
        .name = chain,
        .environment = environment->name,
        .state = state_of(environment),
        .entrypoint = shown->options.deploy->entrypoint,
        .url = chainsi_arena_printf(arena, "%s/chains/%s/%s/run_remote", base_url, chain,
                                    environment->name),
        .version = current ? current->options.version : 0,
        .version_id = current ? current->options.id : NULL,
        .previous_version_id = environment->previous,
        .deployed_at = current ? environment->deployed_at : NULL,
        .chainlets = describe_chainlets(shown, arena),
        .deployment = {
            .version = latest->options.version,
            .version_id = latest->options.id,
            .state = latest->failure[0]   ? "failed"
                     : latest == current  ? "ready"
                     : environment->trial ? "trying"
                                          : "starting",
            .chainlet = latest->failed_chainlet,
            .message = latest->failure[0] ? latest->failure : NULL,
            .chainlets = describe_chainlets(latest, arena),
            .assets = describe_fetched(latest->assets, arena),
        },
        .canary = describe_trial(environment, arena),
    };
    return true;
}

void chainsi_registry_describe(const chainsi_registry *registry, const char *base_url,
                               bool (*shows)(void *user, const chainsi_chain *chain), void *user,
                               chainsi_arena *arena, chainsi_api_chains *list)
{
    size_t count = 0;
    for (const chainsi_chain *chain = registry->chains; chain; chain = chain->next)
        for (const chainsi_environment *each = chain->environments; each; each = each->next)
            count++;
    list->items = chainsi_arena_array(arena, count, sizeof *list->items);
    list->count = 0;
    for (const chainsi_chain *chain = registry->chains; chain; chain = chain->next)
        for (const chainsi_environment *each = chain->environments; each; each = each->next)
            list->count +=
                !chain->deleting && shows(user, chain) &&
                chainsi_environment_describe(each, base_url, arena, &list->items[list->count]);
}
