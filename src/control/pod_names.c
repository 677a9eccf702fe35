#include "control/pod_names.h"

#include <string.h>

#include "control/log.h"
#include "control/pod_config_map.h"
#include "control/store_chains.h"

typedef struct names {
    const char *chain, *version;
} pod_names;

static bool are_same(const pod_names *one, const pod_names *other)
{
    return !strcmp(one->chain, other->chain) && !strcmp(one->version, other->version);
}

static pod_names labels_of(const chainsi_known_version *known)
{
    return (pod_names){ known->version.chain_label, known->version.version_label };
}

static pod_names data_of(const chainsi_known_version *known)
{
    return (pod_names){ known->version.chain, known->version.version };
}

/* A version of the state that has Deployments. */
static bool find(chainsi_database *state, const pod_names *names, chainsi_arena *arena,
                 chainsi_stored_version *found)
{
    return chainsi_stored_version_find(state, names->chain, names->version, arena, found) ==
               CHAINS_OK &&
           !strcmp(found->id, names->version) && found->artefacts && found->deploy.services.count &&
           found->deploy.services.items[0].object;
}

static chainsi_pod_objects read_objects(const chainsi_known_version *known, chainsi_arena *arena)
{
    char why[256];
    chainsi_pod_objects all;
    if (!chainsi_pod_objects_read(known, arena, &all, why, sizeof why))
        return (chainsi_pod_objects){ 0 };
    return all;
}

static bool has_some_of(const chainsi_pod_objects *all, const chainsi_stored_version *stored)
{
    for (size_t i = 0; i < all->count; i++)
        for (size_t k = 0; k < stored->deploy.services.count; k++) {
            const char *object = stored->deploy.services.items[k].object;
            if (object && !strcmp(all->items[i].object, object))
                return true;
        }
    return false;
}

/* Whether another ConfigMap is that version's. */
static bool is_held(chainsi_pods *pods, const chainsi_known_version *known, const pod_names *names,
                    const chainsi_stored_version *stored, chainsi_arena *arena)
{
    for (const chainsi_known_version *each = chainsi_pods_versions(pods); each; each = each->next) {
        const pod_names data = data_of(each), labels = labels_of(each);
        if (each == known || each->version.leaving || !are_same(&data, names))
            continue;
        const chainsi_pod_objects all = read_objects(each, arena);
        if (are_same(&labels, names) || has_some_of(&all, stored))
            return true;
    }
    return false;
}

static void take_for(chainsi_known_version *known, const pod_names *names)
{
    chainsi_say("ConfigMap %s: data.chain and data.version are '%s' and '%s': it is taken for '%s' "
                "and '%s' still, which it was made with",
                known->version.name, known->version.chain, known->version.version, names->chain,
                names->version);
    known->version.chain = chainsi_arena_strdup(&known->arena, names->chain);
    known->version.version = chainsi_arena_strdup(&known->arena, names->version);
    known->established = known->renamed = true;
}

void chainsi_pod_names_set_right(chainsi_pods *pods, chainsi_database *state,
                                 chainsi_known_version *known)
{
    chainsi_arena arena = { 0 };
    chainsi_stored_version stored;
    const pod_names data = data_of(known), labels = labels_of(known);
    const chainsi_pod_objects all = read_objects(known, &arena);
    bool ends = find(state, &data, &arena, &stored) && has_some_of(&all, &stored);
    /* What its Deployments say they are of, then what it says itself. */
    for (size_t i = 0; i <= all.count && !ends; i++) {
        const chainsi_pod_set *set =
            i < all.count ? chainsi_pods_find(pods, all.items[i].object) : NULL;
        const pod_names names = set ? (pod_names){ set->chain, set->version } : labels;
        if (are_same(&names, &data) || !find(state, &names, &arena, &stored) ||
            (set && !has_some_of(&all, &stored)) || is_held(pods, known, &names, &stored, &arena))
            continue;
        take_for(known, &names);
        ends = true;
    }
    chainsi_arena_done(&arena);
}
