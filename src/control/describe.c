/* What the API says of a chain: its deployments' states put into the API's structs. */
#include <string.h>

#include "control/chain.h"

static void describe_replica(const chainsi_replica *replica, chainsi_arena *arena,
                             chainsi_api_replica *description)
{
    *description = (chainsi_api_replica){
        .state = chainsi_replica_state_name(replica->state),
        .pid = replica->pid,
        .restarts = replica->starts ? (int64_t)replica->starts - 1 : 0,
        .since = chainsi_arena_strdup(arena, replica->since),
        .last_end = replica->last_end[0] ? chainsi_arena_strdup(arena, replica->last_end) : NULL,
    };
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
        const chainsi_chainlet *chainlet = &deployment->chainlets[i];
        chainsi_api_chainlet *item = &list.items[i];
        item->name = chainlet->service->name;
        item->entrypoint = i == deployment->entrypoint;
        item->state = chainsi_replica_state_name(chainsi_chainlet_state(chainlet));
        item->replicas.items = chainsi_arena_array(arena, (size_t)chainlet->service->replicas,
                                                   sizeof *item->replicas.items);
        for (int32_t r = 0; r < chainlet->service->replicas; r++)
            if (chainlet->replicas[r])
                describe_replica(chainlet->replicas[r], arena,
                                 &item->replicas.items[item->replicas.count++]);
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
    bool all_ready = true;
    for (size_t i = 0; i < current->options.deploy->services.count; i++) {
        chainsi_replica_state state = chainsi_chainlet_state(&current->chainlets[i]);
        if (state == CHAINSI_REPLICA_FAILED)
            return "failed";
        all_ready = all_ready && state == CHAINSI_REPLICA_READY;
    }
    return all_ready ? "ready" : "degraded";
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
        },
        .canary = describe_trial(environment, arena),
    };
    return true;
}
