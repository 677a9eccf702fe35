#include "control/pod_config_map.h"

#include <stdio.h>
#include <string.h>

#include "control/fields.h"
#include "schema/json.h"

static const chainsi_field object_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_pod_object, name),
    CHAINSI_FIELD_TEXT(chainsi_pod_object, object),
};
static const chainsi_type object_type = CHAINSI_STRUCT_OF(chainsi_pod_object, object_fields);
static const chainsi_type objects_type = CHAINSI_LIST_OF(chainsi_pod_objects, &object_type);

bool chainsi_pod_objects_read(const chainsi_known_version *known, chainsi_arena *arena,
                              chainsi_pod_objects *found, char *why, size_t why_size)
{
    chainsi_codec_error error;
    const char *text = known->version.services;
    if (chainsi_json_decode(&objects_type, text, strlen(text), arena, found, &error) == CHAINS_OK)
        return true;
    snprintf(why, why_size, "data.services.json: %s %s", error.path, error.message);
    return false;
}

static const char *find_object(const chainsi_pod_objects *all, const char *chainlet)
{
    for (size_t i = 0; i < all->count; i++)
        if (!strcmp(all->items[i].name, chainlet))
            return all->items[i].object;
    return NULL;
}

bool chainsi_pod_version_owns(const chainsi_pod_set *set, const chainsi_pod_version *said)
{
    return !set->exists ||
           (!strcmp(set->chain, said->chain_label) && !strcmp(set->version, said->version_label));
}

/* Another ConfigMap that came before it, and has its labels, by which pods are told apart; NULL. */
static const char *find_twin(chainsi_pods *pods, const chainsi_known_version *known)
{
    const chainsi_pod_version *said = &known->version;
    const chainsi_known_version *each = chainsi_pods_versions(pods);
    for (; each && each != known; each = each->next)
        if (!each->version.leaving && !strcmp(each->version.chain_label, said->chain_label) &&
            !strcmp(each->version.version_label, said->version_label) &&
            (strcmp(each->version.version, said->version) != 0 ||
             strcmp(each->version.chain, said->chain) != 0))
            return each->version.name;
    return NULL;
}

bool chainsi_pod_version_check_names(const chainsi_pod_version *said, char *why, size_t why_size)
{
    const bool chain = chainsi_api_is_chain_name(said->chain);
    if (chain && chainsi_api_is_chain_name(said->version))
        return true;
    snprintf(why, why_size, "data.%s is no name: at most 64 letters, digits, '.', '_' and '-'",
             chain ? "version" : "chain");
    return false;
}

const chainsi_known_version *chainsi_pods_renamed(chainsi_pods *pods, const char *chain,
                                                  const char *version)
{
    for (const chainsi_known_version *each = chainsi_pods_versions(pods); each; each = each->next) {
        const chainsi_pod_version *said = &each->version;
        if (!said->leaving && !strcmp(said->chain_label, chain) &&
            !strcmp(said->version_label, version) &&
            (strcmp(said->chain, chain) != 0 || strcmp(said->version, version) != 0))
            return each;
    }
    return NULL;
}

bool chainsi_pod_version_read_deploy(chainsi_pods *pods, const chainsi_known_version *known,
                                     chainsi_arena *arena, chainsi_api_deploy *deploy, char *why,
                                     size_t why_size)
{
    chainsi_codec_error error;
    chainsi_pod_objects all;
    const char *text = known->version.deploy;
    if (chainsi_json_decode(&chainsi_api_deploy_type, text, strlen(text), arena, deploy, &error) !=
        CHAINS_OK) {
        snprintf(why, why_size, "data.deploy.json: %s %s", error.path, error.message);
        return false;
    }
    if (!chainsi_pod_objects_read(known, arena, &all, why, why_size))
        return false;
    if (strcmp(deploy->chain, known->version.chain) != 0) {
        snprintf(why, why_size, "data.deploy.json is of the chain '%s', data.chain is '%s'",
                 deploy->chain, known->version.chain);
        return false;
    }
    const char *twin = find_twin(pods, known);
    if (twin) {
        snprintf(why, why_size, "its labels are those of the ConfigMap %s", twin);
        return false;
    }
    deploy->tls = known->version.tls;
    if (*known->version.autoscaler)
        deploy->autoscaler = chainsi_arena_strdup(arena, known->version.autoscaler);
    for (size_t i = 0; i < deploy->services.count; i++) {
        chainsi_api_service *service = &deploy->services.items[i];
        service->program = NULL;
        service->binary = "/"; /* in its image */
        service->object = find_object(&all, service->name);
        if (!service->object) {
            snprintf(why, why_size, "data.services.json names no object of '%s'", service->name);
            return false;
        }
        if (!chainsi_pod_version_owns(chainsi_pods_find(pods, service->object), &known->version)) {
            snprintf(why, why_size, "data.services.json: the Deployment %s is of another version",
                     service->object);
            return false;
        }
    }
    return true;
}
