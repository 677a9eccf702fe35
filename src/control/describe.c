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

/* What callers of the chain can expect. */
static const char *chain_state(const chainsi_chain *chain)
{
    if (!chain->active)
        return chain->next_one ? "starting" : "failed";
    bool all_ready = true;
    for (size_t i = 0; i < chain->active->options.deploy->services.count; i++) {
        chainsi_replica_state state = chainsi_chainlet_state(&chain->active->chainlets[i]);
        if (state == CHAINSI_REPLICA_FAILED)
            return "failed";
        all_ready = all_ready && state == CHAINSI_REPLICA_READY;
    }
    return all_ready ? "ready" : "degraded";
}

void chainsi_chain_describe(const chainsi_chain *chain, const char *base_url, chainsi_arena *arena,
                            chainsi_api_chain *description)
{
    const chainsi_deployment *latest = chain->next_one ? chain->next_one
                                       : chain->failed ? chain->failed
                                                       : chain->active;
    const chainsi_deployment *shown = chain->active ? chain->active : latest;
    *description = (chainsi_api_chain){
        .name = chain->name,
        .environment = "production",
        .state = chain_state(chain),
        .entrypoint = shown->options.deploy->entrypoint,
        .url = chainsi_arena_printf(arena, "%s/chains/%s/production/run_remote", base_url,
                                    chain->name),
        .version = chain->active ? chain->active->options.version : 0,
        .deployed_at = chain->active ? chain->deployed_at : NULL,
        .chainlets = describe_chainlets(shown, arena),
        .deployment = {
            .version = latest->options.version,
            .state = latest->failure[0] ? "failed" : latest == chain->active ? "ready" : "starting",
            .chainlet = latest->failed_chainlet,
            .message = latest->failure[0] ? latest->failure : NULL,
            .chainlets = describe_chainlets(latest, arena),
        },
    };
}
