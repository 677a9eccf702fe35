/* A chain as what is deployed, from its model and the services that it becomes. */
#include "cli/describe.h"

#include <pwd.h>
#include <unistd.h>

#include "cli/snapshot.h"
#include "compiler/service.h"
#include "runtime/queue.h"

/* What all that is in its process needs. */
static void describe_needs(const chainsi_service *service, chainsi_arena *arena,
                           chainsi_api_service *sent)
{
    sent->secrets.count = chainsi_service_secrets(service, arena, &sent->secrets.items);
    chainsi_service_asset *assets;
    sent->assets.count = chainsi_service_assets(service, arena, &assets);
    sent->assets.items = chainsi_arena_array(arena, sent->assets.count, sizeof *sent->assets.items);
    for (size_t i = 0; i < sent->assets.count; i++)
        sent->assets.items[i] = (chainsi_asset){ assets[i].url, assets[i].sha256, assets[i].path };
    const chainsi_service_gpus gpus = chainsi_service_find_gpus(service);
    sent->gpu = gpus.kind ? chainsi_arena_printf(arena, "%s:%d", gpus.kind, gpus.count) : NULL;
}

/* The Chainlets in its process besides itself. */
static void describe_inside(const chainsi_service *service, chainsi_api_service *sent,
                            chainsi_arena *arena)
{
    sent->inside.items =
        chainsi_arena_array(arena, service->inside_count, sizeof *sent->inside.items);
    for (size_t i = 0; i < service->inside_count; i++)
        if (service->inside[i] != service->chainlet)
            sent->inside.items[sent->inside.count++] = service->inside[i]->wire_name;
}

static bool calls_elsewhere(const chainsi_service *service, const chainsi_model_chainlet *callee)
{
    for (size_t i = 0; i < service->dependency_count; i++)
        if (service->dependencies[i] == callee)
            return true;
    return false;
}

/* Who calls whom: what a process has of its Chainlets' dependencies elsewhere, and else inside. What fakes call
 * nobody knows. */
static void describe_links(const chainsi_service *services, size_t count, chainsi_api_links *links,
                           chainsi_arena *arena)
{
    size_t most = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < services[i].inside_count; k++)
            most += services[i].inside[k]->dependency_count;
    links->items = chainsi_arena_array(arena, most, sizeof *links->items);
    for (size_t i = 0; i < count; i++) {
        const chainsi_service *service = &services[i];
        for (size_t k = 0; k < service->inside_count; k++) {
            const chainsi_model_chainlet *caller = service->inside[k];
            for (size_t d = 0; d < caller->dependency_count; d++) {
                const chainsi_model_chainlet *callee = caller->dependencies[d].chainlet;
                links->items[links->count++] = (chainsi_api_link){
                    .caller = caller->wire_name,
                    .callee = callee->wire_name,
                    .colocated = !calls_elsewhere(service, callee),
                };
            }
        }
    }
}

static const char *describe_fingerprint(const chainsi_model_chainlet *chainlet,
                                        chainsi_arena *arena)
{
    return chainsi_arena_printf(arena, "%016llx", (unsigned long long)chainlet->fingerprint);
}

static void describe_environment(const chains_config *config, chainsi_api_service *sent,
                                 chainsi_arena *arena)
{
    size_t most = sizeof config->env / sizeof *config->env;
    sent->env.items = chainsi_arena_array(arena, most, sizeof *sent->env.items);
    for (size_t j = 0; j < most && config->env[j].name; j++)
        sent->env.items[sent->env.count++] = (chainsi_api_variable){
            .name = config->env[j].name,
            .value = config->env[j].value ? config->env[j].value : "",
        };
}

static chainsi_api_service describe_service(const chainsi_service *service, chainsi_arena *arena)
{
    const chains_config *config = &service->chainlet->config;
    const chainsi_scaling_options scaling = chainsi_scaling_options_of(config);
    chainsi_api_service sent = {
        .name = service->chainlet->wire_name,
        .c_name = service->chainlet->c_name,
        .binary = service->binary ? service->binary : "",
        .interface = describe_fingerprint(service->chainlet, arena),
        .start_timeout_s = config->start_timeout_s > 0 ? config->start_timeout_s : 600,
        .drain_timeout_s = config->drain_timeout_s > 0 ? config->drain_timeout_s : 30,
        .progress_timeout_s = config->progress_timeout_s > 0 ? config->progress_timeout_s : 0,
        .max_queue = chainsi_queue_most(config),
        .max_body = config->max_body > 0 ? config->max_body : 64 * 1024 * 1024,
        .concurrency = config->concurrency > 1 ? config->concurrency : 1,
        .scaling = chainsi_api_scaling_of(&scaling),
        .cpu = config->cpu > 0 ? config->cpu : 0,
        .memory = (int64_t)service->chainlet->memory_bytes,
    };
    describe_needs(service, arena, &sent);
    describe_inside(service, &sent, arena);
    describe_environment(config, &sent, arena);
    sent.dependencies.items =
        chainsi_arena_array(arena, service->dependency_count + 1, sizeof *sent.dependencies.items);
    for (size_t j = 0; j < service->dependency_count; j++)
        if (!service->dependencies[j]->external)
            sent.dependencies.items[sent.dependencies.count++] =
                service->dependencies[j]->wire_name;
    return sent;
}

chainsi_api_deploy chainsi_describe_deploy(const chainsi_model *model,
                                           const chainsi_service *services, size_t count,
                                           chainsi_arena *arena)
{
    chainsi_api_deploy deploy = {
        .chain = model->entrypoint->wire_name,
        .environment = CHAINSI_PRODUCTION,
        .entrypoint = model->entrypoint->wire_name,
        .interface = describe_fingerprint(model->entrypoint, arena),
        .services = { .items = chainsi_arena_array(arena, count, sizeof *deploy.services.items),
                      .count = count },
        .canary = CHAINSI_NO_CANARY,
    };
    describe_links(services, count, &deploy.links, arena);
    for (size_t i = 0; i < count; i++)
        deploy.services.items[i] = describe_service(&services[i], arena);
    return deploy;
}

void chainsi_describe_origin(const chainsi_model *model, const chainsi_words *fakes,
                             chainsi_arena *arena, chainsi_api_deploy *deploy)
{
    char digest[CHAINSI_DIGEST_TEXT];
    const struct passwd *user = getpwuid(getuid());
    if (chainsi_snapshot_digest(model, fakes, digest))
        deploy->source_digest = chainsi_arena_strdup(arena, digest);
    deploy->created_by = user ? chainsi_arena_strdup(arena, user->pw_name)
                              : chainsi_arena_printf(arena, "%u", (unsigned)getuid());
}
