/* What is known of services without building them. */
#include "compiler/service.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum {
    MOST_SECRETS = sizeof((chains_config *)0)->secrets / sizeof(const char *),
    MOST_ASSETS = sizeof((chains_config *)0)->assets / sizeof *((chains_config *)0)->assets,
};

/* Listing */

static bool is_inside(const chainsi_model_dependency *dependency)
{
    return dependency->options.colocate && !dependency->chainlet->external;
}

static void include(const chainsi_model_chainlet *chainlet, bool *included)
{
    if (included[chainlet->index])
        return;
    included[chainlet->index] = true;
    for (size_t i = 0; i < chainlet->dependency_count; i++)
        if (is_inside(&chainlet->dependencies[i]))
            include(chainlet->dependencies[i].chainlet, included);
}

/* The Chainlets of the model that are marked. */
static const chainsi_model_chainlet **list_marked(const chainsi_model *model, const bool *marked,
                                                  chainsi_arena *arena, size_t *count)
{
    const chainsi_model_chainlet **list =
        chainsi_arena_array(arena, model->chainlet_count + 1, sizeof *list);
    for (size_t i = 0; i < model->chainlet_count; i++)
        if (marked[i])
            list[(*count)++] = model->chainlets[i];
    return list;
}

static chainsi_service describe(const chainsi_model *model, const chainsi_model_chainlet *chainlet,
                                chainsi_arena *arena)
{
    chainsi_service service = { .chainlet = chainlet };
    bool *included = chainsi_arena_array(arena, model->chainlet_count, sizeof *included);
    bool *called = chainsi_arena_array(arena, model->chainlet_count, sizeof *called);
    include(chainlet, included);
    service.inside = list_marked(model, included, arena, &service.inside_count);
    for (size_t i = 0; i < service.inside_count; i++)
        for (size_t k = 0; k < service.inside[i]->dependency_count; k++)
            if (!is_inside(&service.inside[i]->dependencies[k]))
                called[service.inside[i]->dependencies[k].chainlet->index] = true;
    service.dependencies = list_marked(model, called, arena, &service.dependency_count);
    return service;
}

size_t chainsi_services_list(const chainsi_model *model, chainsi_arena *arena,
                             const chainsi_service **services)
{
    bool *needed = chainsi_arena_array(arena, model->chainlet_count, sizeof *needed);
    chainsi_service *list = chainsi_arena_array(arena, model->chainlet_count, sizeof *list);
    size_t count = 0;
    needed[model->entrypoint->index] = true;
    /* Callers first: whoever calls a Chainlet has been seen before it. */
    for (size_t i = model->chainlet_count; i > 0; i--) {
        if (!needed[i - 1])
            continue;
        chainsi_service service = describe(model, model->chainlets[i - 1], arena);
        for (size_t k = 0; k < service.dependency_count; k++)
            if (!service.dependencies[k]->external)
                needed[service.dependencies[k]->index] = true;
    }
    for (size_t i = 0; i < model->chainlet_count; i++)
        if (needed[i])
            list[count++] = describe(model, model->chainlets[i], arena);
    *services = list;
    return count;
}

/* What a process needs */

static size_t add_name(const char **names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(names[i], name))
            return count;
    names[count] = name;
    return count + 1;
}

size_t chainsi_service_secrets(const chainsi_service *service, chainsi_arena *arena,
                               const char ***names)
{
    size_t count = 0;
    *names = chainsi_arena_array(
        arena, service->inside_count * MOST_SECRETS + service->dependency_count + 1,
        sizeof **names);
    for (size_t i = 0; i < service->inside_count; i++) {
        const char *const *own = service->inside[i]->config.secrets;
        for (size_t k = 0; k < MOST_SECRETS && own[k]; k++)
            count = add_name(*names, count, own[k]);
    }
    for (size_t i = 0; i < service->dependency_count; i++)
        if (service->dependencies[i]->external && service->dependencies[i]->external_config.secret)
            count = add_name(*names, count, service->dependencies[i]->external_config.secret);
    return count;
}

static const char *lower(chainsi_arena *arena, const char *text)
{
    char *low = chainsi_arena_strdup(arena, text);
    for (char *at = low; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    return low;
}

static size_t add_asset(chainsi_service_asset *assets, size_t count, chainsi_service_asset asset)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(assets[i].path, asset.path) && !strcmp(assets[i].sha256, asset.sha256))
            return count;
    assets[count] = asset;
    return count + 1;
}

size_t chainsi_service_assets(const chainsi_service *service, chainsi_arena *arena,
                              chainsi_service_asset **assets)
{
    size_t count = 0;
    *assets = chainsi_arena_array(arena, service->inside_count * MOST_ASSETS + 1, sizeof **assets);
    for (size_t i = 0; i < service->inside_count; i++) {
        const chainsi_model_chainlet *inside = service->inside[i];
        const chains_config *config = &inside->config;
        for (size_t k = 0; k < MOST_ASSETS && config->assets[k].url; k++)
            count = add_asset(*assets, count,
                              (chainsi_service_asset){ config->assets[k].url,
                                                       lower(arena, config->assets[k].sha256),
                                                       config->assets[k].path, inside });
    }
    return count;
}

chainsi_service_gpus chainsi_service_find_gpus(const chainsi_service *service)
{
    chainsi_service_gpus gpus = { 0 };
    for (size_t i = 0; i < service->inside_count; i++) {
        const chainsi_model_chainlet *inside = service->inside[i];
        if (!inside->gpu_kind)
            continue;
        if (!gpus.first || !strcasecmp(gpus.first->gpu_kind, "any"))
            gpus.first = inside;
        else if (!gpus.other && strcasecmp(inside->gpu_kind, "any") != 0 &&
                 strcasecmp(inside->gpu_kind, gpus.first->gpu_kind) != 0)
            gpus.other = inside;
        gpus.count += inside->gpu_count;
    }
    gpus.kind = gpus.first ? gpus.first->gpu_kind : NULL;
    return gpus;
}
