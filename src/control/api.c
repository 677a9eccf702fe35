/* The tables of the API's types, written by hand. */
#include "control/api.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/relative.h"
#include "control/api_scale.h"
#include "control/asset_links.h"
#include "control/gpu.h"
#include "control/store_keys.h"
#include "control/vault.h"
#include "runtime/queue.h"

enum {
    MAX_NAME = 128,
    MAX_CHAIN = 64,
    MAX_SERVICES = 1000,
    MAX_REPLICAS = 1000,
    MAX_SLOTS = 100000,
    MAX_SECRETS = 256, /* of a service */
    MAX_ASSETS = 256,  /* likewise */
    MAX_CPU = 4096,
    MAX_CANARY_MINUTES = 7 * 24 * 60
};

#define STRUCT_TYPE(struct_, list_)                                                                \
    {                                                                                              \
        .kind = CHAINSI_STRUCT, .size = sizeof(struct_), .fields = (list_),                        \
        .field_count = sizeof(list_) / sizeof *(list_)                                             \
    }
/* With the name that it has in the API's document. */
#define NAMED_TYPE(name_, struct_, list_)                                                          \
    {                                                                                              \
        .kind = CHAINSI_STRUCT, .name = (name_), .size = sizeof(struct_), .fields = (list_),       \
        .field_count = sizeof(list_) / sizeof *(list_)                                             \
    }
#define LIST_TYPE(struct_, item_)                                                                  \
    {                                                                                              \
        .kind = CHAINSI_LIST, .size = sizeof(struct_), .item = (item_)                             \
    }
#define TEXT(struct_, field_)                                                                      \
    {                                                                                              \
        CHAINSI_FIELD(struct_, field_, &chainsi_type_string)                                       \
    }
#define NULLABLE(struct_, field_)                                                                  \
    {                                                                                              \
        CHAINSI_FIELD(struct_, field_, &chainsi_type_string), .optional = true                     \
    }
#define INTEGER(struct_, field_)                                                                   \
    {                                                                                              \
        CHAINSI_FIELD(struct_, field_, &chainsi_type_int64)                                        \
    }

static const chainsi_field variable_fields[] = {
    TEXT(chainsi_api_variable, name),
    TEXT(chainsi_api_variable, value),
};
static const chainsi_type variable_type = STRUCT_TYPE(chainsi_api_variable, variable_fields);
static const chainsi_type variables_type = LIST_TYPE(chainsi_api_variables, &variable_type);
static const chainsi_type strings_type = LIST_TYPE(chains_string_list, &chainsi_type_string);

static const chainsi_field scaling_fields[] = {
    { CHAINSI_FIELD(chainsi_api_scaling, min_replicas, &chainsi_type_int32) },
    { CHAINSI_FIELD(chainsi_api_scaling, max_replicas, &chainsi_type_int32) },
    { CHAINSI_FIELD(chainsi_api_scaling, concurrency_target, &chainsi_type_double) },
    { CHAINSI_FIELD(chainsi_api_scaling, target_utilization, &chainsi_type_double) },
    { CHAINSI_FIELD(chainsi_api_scaling, window_s, &chainsi_type_double) },
    { CHAINSI_FIELD(chainsi_api_scaling, scale_down_delay_s, &chainsi_type_double) },
    { CHAINSI_FIELD(chainsi_api_scaling, scale_to_zero_delay_s, &chainsi_type_double) },
};
const chainsi_type chainsi_api_scaling_type =
    NAMED_TYPE("Scaling", chainsi_api_scaling, scaling_fields);

static const chainsi_field asset_fields[] = {
    TEXT(chainsi_asset, url),
    TEXT(chainsi_asset, sha256),
    TEXT(chainsi_asset, path),
};
static const chainsi_type asset_type = STRUCT_TYPE(chainsi_asset, asset_fields);
const chainsi_type chainsi_api_assets_type = LIST_TYPE(chainsi_api_assets, &asset_type);

static const chains_string_list no_strings;
static const chainsi_api_assets no_assets;
static const chainsi_api_scaling usual_scaling = {
    .max_replicas = 1,
    .concurrency_target = 1,
    .target_utilization = 0.7,
    .window_s = 60,
    .scale_down_delay_s = 300,
    .scale_to_zero_delay_s = 900,
};
static const double no_cpu_limit = 0;
static const int64_t no_memory_limit = 0;
static const chainsi_api_variables no_variables;
static const int32_t one = 1;
static const double start_timeout_s = 600, drain_timeout_s = 30, progress_timeout_s = 0;
static const int32_t max_queue = CHAINSI_QUEUE_LEAST;
static const int64_t max_body = 64 * 1024 * 1024;

static const chainsi_field service_fields[] = {
    TEXT(chainsi_api_service, name),
    TEXT(chainsi_api_service, c_name),
    TEXT(chainsi_api_service, binary),
    NULLABLE(chainsi_api_service, program),
    NULLABLE(chainsi_api_service, interface),
    { CHAINSI_FIELD(chainsi_api_service, dependencies, &strings_type),
      .default_value = &no_strings },
    { CHAINSI_FIELD(chainsi_api_service, env, &variables_type), .default_value = &no_variables },
    { CHAINSI_FIELD(chainsi_api_service, start_timeout_s, &chainsi_type_double),
      .default_value = &start_timeout_s },
    { CHAINSI_FIELD(chainsi_api_service, drain_timeout_s, &chainsi_type_double),
      .default_value = &drain_timeout_s },
    { CHAINSI_FIELD(chainsi_api_service, progress_timeout_s, &chainsi_type_double),
      .default_value = &progress_timeout_s },
    { CHAINSI_FIELD(chainsi_api_service, max_queue, &chainsi_type_int32),
      .default_value = &max_queue },
    { CHAINSI_FIELD(chainsi_api_service, max_body, &chainsi_type_int64),
      .default_value = &max_body },
    { CHAINSI_FIELD(chainsi_api_service, concurrency, &chainsi_type_int32), .default_value = &one },
    { CHAINSI_FIELD(chainsi_api_service, scaling, &chainsi_api_scaling_type),
      .default_value = &usual_scaling },
    { CHAINSI_FIELD(chainsi_api_service, cpu, &chainsi_type_double),
      .default_value = &no_cpu_limit },
    { CHAINSI_FIELD(chainsi_api_service, memory, &chainsi_type_int64),
      .default_value = &no_memory_limit },
    NULLABLE(chainsi_api_service, gpu),
    { CHAINSI_FIELD(chainsi_api_service, secrets, &strings_type), .default_value = &no_strings },
    { CHAINSI_FIELD(chainsi_api_service, assets, &chainsi_api_assets_type),
      .default_value = &no_assets },
    { CHAINSI_FIELD(chainsi_api_service, inside, &strings_type), .default_value = &no_strings },
    NULLABLE(chainsi_api_service, object),
};
const chainsi_type chainsi_api_service_type =
    NAMED_TYPE("Service", chainsi_api_service, service_fields);
static const chainsi_type services_type =
    LIST_TYPE(chainsi_api_services, &chainsi_api_service_type);

static const chainsi_api_canary no_canary = CHAINSI_NO_CANARY;
static const chainsi_field canary_fields[] = {
    { CHAINSI_FIELD(chainsi_api_canary, percent, &chainsi_type_double) },
    { CHAINSI_FIELD(chainsi_api_canary, max_error_rate_increase, &chainsi_type_double),
      .default_value = &no_canary.max_error_rate_increase },
    { CHAINSI_FIELD(chainsi_api_canary, max_p99_ratio, &chainsi_type_double),
      .default_value = &no_canary.max_p99_ratio },
    { CHAINSI_FIELD(chainsi_api_canary, minutes, &chainsi_type_double),
      .default_value = &no_canary.minutes },
};
static const chainsi_type canary_type = NAMED_TYPE("Canary", chainsi_api_canary, canary_fields);

static const char *const production = CHAINSI_PRODUCTION;
static const bool no = false;
static const chainsi_field link_fields[] = {
    TEXT(chainsi_api_link, caller),
    TEXT(chainsi_api_link, callee),
    { CHAINSI_FIELD(chainsi_api_link, colocated, &chainsi_type_bool), .default_value = &no },
};
static const chainsi_type link_type = STRUCT_TYPE(chainsi_api_link, link_fields);
static const chainsi_type links_type = LIST_TYPE(chainsi_api_links, &link_type);
static const chainsi_api_links no_links;
static const chainsi_type some_double = { .kind = CHAINSI_POINTER,
                                          .size = sizeof(void *),
                                          .item = &chainsi_type_double };
static const chainsi_field deploy_fields[] = {
    TEXT(chainsi_api_deploy, chain),
    { CHAINSI_FIELD(chainsi_api_deploy, environment, &chainsi_type_string),
      .default_value = &production },
    TEXT(chainsi_api_deploy, entrypoint),
    { CHAINSI_FIELD(chainsi_api_deploy, services, &services_type) },
    { CHAINSI_FIELD(chainsi_api_deploy, canary, &canary_type), .default_value = &no_canary },
    NULLABLE(chainsi_api_deploy, source_digest),
    NULLABLE(chainsi_api_deploy, interface),
    NULLABLE(chainsi_api_deploy, created_by),
    { CHAINSI_FIELD(chainsi_api_deploy, swappable, &chainsi_type_bool), .default_value = &no },
    { CHAINSI_FIELD(chainsi_api_deploy, links, &links_type), .default_value = &no_links },
    NULLABLE(chainsi_api_deploy, autoscaler),
    { CHAINSI_FIELD(chainsi_api_deploy, patience_s, &some_double), .optional = true },
    { CHAINSI_FIELD(chainsi_api_deploy, tls, &chainsi_type_bool), .default_value = &no },
};
const chainsi_type chainsi_api_deploy_type =
    NAMED_TYPE("Deploy", chainsi_api_deploy, deploy_fields);

/* A state.json, which is read once to take up what it tells of, has no more than a number. */
static const char *const no_text = "";
static const chainsi_field saved_fields[] = {
    INTEGER(chainsi_api_saved, version),
    { CHAINSI_FIELD(chainsi_api_saved, id, &chainsi_type_string), .default_value = &no_text },
    { CHAINSI_FIELD(chainsi_api_saved, run, &chainsi_type_string), .default_value = &no_text },
    TEXT(chainsi_api_saved, deployed_at),
    { CHAINSI_FIELD(chainsi_api_saved, deploy, &chainsi_api_deploy_type) },
};
const chainsi_type chainsi_api_saved_type = STRUCT_TYPE(chainsi_api_saved, saved_fields);

static const chainsi_field accepted_fields[] = {
    TEXT(chainsi_api_accepted, chain),
    TEXT(chainsi_api_accepted, environment),
    INTEGER(chainsi_api_accepted, version),
    TEXT(chainsi_api_accepted, version_id),
};
const chainsi_type chainsi_api_accepted_type = STRUCT_TYPE(chainsi_api_accepted, accepted_fields);

static const chainsi_field swapped_fields[] = {
    TEXT(chainsi_api_swapped, chain),
    TEXT(chainsi_api_swapped, environment),
    INTEGER(chainsi_api_swapped, version),
    TEXT(chainsi_api_swapped, version_id),
    TEXT(chainsi_api_swapped, state),
    { CHAINSI_FIELD(chainsi_api_swapped, chainlets, &strings_type) },
    NULLABLE(chainsi_api_swapped, chainlet),
    NULLABLE(chainsi_api_swapped, message),
};
const chainsi_type chainsi_api_swapped_type = STRUCT_TYPE(chainsi_api_swapped, swapped_fields);

static const chainsi_field promote_fields[] = {
    TEXT(chainsi_api_promote, version),
    { CHAINSI_FIELD(chainsi_api_promote, canary, &canary_type), .default_value = &no_canary },
};
const chainsi_type chainsi_api_promote_type = STRUCT_TYPE(chainsi_api_promote, promote_fields);

static const chainsi_field replica_fields[] = {
    TEXT(chainsi_api_replica, state),
    INTEGER(chainsi_api_replica, number),
    INTEGER(chainsi_api_replica, pid),
    NULLABLE(chainsi_api_replica, pod),
    NULLABLE(chainsi_api_replica, node),
    INTEGER(chainsi_api_replica, restarts),
    TEXT(chainsi_api_replica, since),
    NULLABLE(chainsi_api_replica, last_end),
    { CHAINSI_FIELD(chainsi_api_replica, gpus, &strings_type), .default_value = &no_strings },
};
static const chainsi_type replica_type = NAMED_TYPE("Replica", chainsi_api_replica, replica_fields);
static const chainsi_type replicas_type = LIST_TYPE(chainsi_api_replicas, &replica_type);

static const chainsi_type some_override = {
    .kind = CHAINSI_POINTER,
    .size = sizeof(void *),
    .item = &chainsi_api_override_type,
};

static const chainsi_field chainlet_fields[] = {
    TEXT(chainsi_api_chainlet, name),
    { CHAINSI_FIELD(chainsi_api_chainlet, entrypoint, &chainsi_type_bool) },
    TEXT(chainsi_api_chainlet, state),
    INTEGER(chainsi_api_chainlet, ready),
    INTEGER(chainsi_api_chainlet, wanted),
    INTEGER(chainsi_api_chainlet, in_flight),
    INTEGER(chainsi_api_chainlet, waiting),
    { CHAINSI_FIELD(chainsi_api_chainlet, dependencies, &strings_type),
      .default_value = &no_strings },
    { CHAINSI_FIELD(chainsi_api_chainlet, notes, &strings_type), .default_value = &no_strings },
    { CHAINSI_FIELD(chainsi_api_chainlet, scaling, &chainsi_api_scaling_type) },
    { CHAINSI_FIELD(chainsi_api_chainlet, override, &some_override), .optional = true },
    { CHAINSI_FIELD(chainsi_api_chainlet, replicas, &replicas_type) },
};
static const chainsi_type chainlet_type =
    NAMED_TYPE("Chainlet", chainsi_api_chainlet, chainlet_fields);
static const chainsi_type chainlets_type = LIST_TYPE(chainsi_api_chainlets, &chainlet_type);

static const chainsi_field fetched_fields[] = {
    INTEGER(chainsi_api_fetched, files),
    INTEGER(chainsi_api_fetched, files_done),
    INTEGER(chainsi_api_fetched, bytes),
    INTEGER(chainsi_api_fetched, bytes_done),
    { CHAINSI_FIELD(chainsi_api_fetched, bytes_per_s, &chainsi_type_double) },
    { CHAINSI_FIELD(chainsi_api_fetched, verifying, &chainsi_type_bool) },
    NULLABLE(chainsi_api_fetched, trouble),
};
static const chainsi_type fetched_type = STRUCT_TYPE(chainsi_api_fetched, fetched_fields);
static const chainsi_type some_fetched = {
    .kind = CHAINSI_POINTER,
    .size = sizeof(void *),
    .item = &fetched_type,
};

static const chainsi_field deployment_fields[] = {
    INTEGER(chainsi_api_deployment, version),
    TEXT(chainsi_api_deployment, version_id),
    TEXT(chainsi_api_deployment, state),
    NULLABLE(chainsi_api_deployment, chainlet),
    NULLABLE(chainsi_api_deployment, message),
    { CHAINSI_FIELD(chainsi_api_deployment, chainlets, &chainlets_type) },
    { CHAINSI_FIELD(chainsi_api_deployment, assets, &some_fetched), .optional = true },
};
static const chainsi_type deployment_type =
    NAMED_TYPE("Deployment", chainsi_api_deployment, deployment_fields);

static const chainsi_field side_fields[] = {
    INTEGER(chainsi_api_canary_side, calls),
    INTEGER(chainsi_api_canary_side, failed),
    { CHAINSI_FIELD(chainsi_api_canary_side, p99_ms, &chainsi_type_double) },
};
static const chainsi_type side_type = STRUCT_TYPE(chainsi_api_canary_side, side_fields);
static const chainsi_field trial_fields[] = {
    TEXT(chainsi_api_trial, version_id),
    { CHAINSI_FIELD(chainsi_api_trial, percent, &chainsi_type_double) },
    TEXT(chainsi_api_trial, since),
    TEXT(chainsi_api_trial, until),
    { CHAINSI_FIELD(chainsi_api_trial, old_version, &side_type) },
    { CHAINSI_FIELD(chainsi_api_trial, new_version, &side_type) },
};
static const chainsi_type trial_type = NAMED_TYPE("Trial", chainsi_api_trial, trial_fields);
static const chainsi_type some_trial = {
    .kind = CHAINSI_POINTER,
    .size = sizeof(void *),
    .item = &trial_type,
};

static const chainsi_field clients_fields[] = {
    { CHAINSI_FIELD(chainsi_api_clients, calls_per_s, &chainsi_type_double) },
    { CHAINSI_FIELD(chainsi_api_clients, errors_per_s, &chainsi_type_double) },
    { CHAINSI_FIELD(chainsi_api_clients, p50_ms, &some_double), .optional = true },
    { CHAINSI_FIELD(chainsi_api_clients, p99_ms, &some_double), .optional = true },
};
const chainsi_type chainsi_api_clients_type =
    NAMED_TYPE("Clients", chainsi_api_clients, clients_fields);
static const chainsi_type some_clients = { .kind = CHAINSI_POINTER,
                                           .size = sizeof(void *),
                                           .item = &chainsi_api_clients_type };
static const chainsi_field chain_fields[] = {
    TEXT(chainsi_api_chain, name),
    TEXT(chainsi_api_chain, environment),
    TEXT(chainsi_api_chain, entrypoint),
    TEXT(chainsi_api_chain, state),
    TEXT(chainsi_api_chain, url),
    INTEGER(chainsi_api_chain, version),
    NULLABLE(chainsi_api_chain, version_id),
    NULLABLE(chainsi_api_chain, previous_version_id),
    NULLABLE(chainsi_api_chain, deployed_at),
    { CHAINSI_FIELD(chainsi_api_chain, chainlets, &chainlets_type) },
    { CHAINSI_FIELD(chainsi_api_chain, deployment, &deployment_type) },
    { CHAINSI_FIELD(chainsi_api_chain, canary, &some_trial), .optional = true },
    { CHAINSI_FIELD(chainsi_api_chain, clients, &some_clients), .optional = true },
};
const chainsi_type chainsi_api_chain_type = NAMED_TYPE("Chain", chainsi_api_chain, chain_fields);
const chainsi_type chainsi_api_chains_type = LIST_TYPE(chainsi_api_chains, &chainsi_api_chain_type);

static const chainsi_field version_fields[] = {
    TEXT(chainsi_api_version, id),
    INTEGER(chainsi_api_version, number),
    TEXT(chainsi_api_version, state),
    NULLABLE(chainsi_api_version, message),
    { CHAINSI_FIELD(chainsi_api_version, kept, &chainsi_type_bool) },
    NULLABLE(chainsi_api_version, source_digest),
    NULLABLE(chainsi_api_version, interface),
    NULLABLE(chainsi_api_version, created_by),
    TEXT(chainsi_api_version, created_at),
    NULLABLE(chainsi_api_version, ready_at),
    { CHAINSI_FIELD(chainsi_api_version, environments, &strings_type) },
};
static const chainsi_type version_type = NAMED_TYPE("Version", chainsi_api_version, version_fields);
const chainsi_type chainsi_api_versions_type = LIST_TYPE(chainsi_api_versions, &version_type);

static const chainsi_field deleted_fields[] = {
    TEXT(chainsi_api_deleted, chain),
    NULLABLE(chainsi_api_deleted, environment),
    NULLABLE(chainsi_api_deleted, version_id),
};
const chainsi_type chainsi_api_deleted_type =
    NAMED_TYPE("Deleted", chainsi_api_deleted, deleted_fields);

static const double no_rate_limit = 0;
static const chainsi_field key_asked_fields[] = {
    { CHAINSI_FIELD(chainsi_api_key_asked, scope, &chainsi_scope_type) },
    { CHAINSI_FIELD(chainsi_api_key_asked, rate_per_s, &chainsi_type_double),
      .default_value = &no_rate_limit },
    NULLABLE(chainsi_api_key_asked, chain),
    NULLABLE(chainsi_api_key_asked, note),
};
const chainsi_type chainsi_api_key_asked_type =
    STRUCT_TYPE(chainsi_api_key_asked, key_asked_fields);

static const chainsi_field key_made_fields[] = {
    TEXT(chainsi_api_key_made, key),
    TEXT(chainsi_api_key_made, id),
    { CHAINSI_FIELD(chainsi_api_key_made, scope, &chainsi_scope_type) },
    { CHAINSI_FIELD(chainsi_api_key_made, rate_per_s, &chainsi_type_double) },
    NULLABLE(chainsi_api_key_made, chain),
    NULLABLE(chainsi_api_key_made, note),
    TEXT(chainsi_api_key_made, created_at),
};
const chainsi_type chainsi_api_key_made_type = STRUCT_TYPE(chainsi_api_key_made, key_made_fields);

static const chainsi_field key_revoked_fields[] = {
    TEXT(chainsi_api_key_revoked, id),
};
const chainsi_type chainsi_api_key_revoked_type =
    STRUCT_TYPE(chainsi_api_key_revoked, key_revoked_fields);

static const chainsi_field secret_value_fields[] = {
    TEXT(chainsi_api_secret_value, value),
};
const chainsi_type chainsi_api_secret_value_type =
    STRUCT_TYPE(chainsi_api_secret_value, secret_value_fields);

static const chainsi_field secret_changed_fields[] = {
    TEXT(chainsi_api_secret_changed, name),
    { CHAINSI_FIELD(chainsi_api_secret_changed, used_by, &strings_type) },
};
const chainsi_type chainsi_api_secret_changed_type =
    NAMED_TYPE("SecretChanged", chainsi_api_secret_changed, secret_changed_fields);

static const chainsi_field health_fields[] = {
    TEXT(chainsi_api_health, status),
    NULLABLE(chainsi_api_health, home),
    INTEGER(chainsi_api_health, pid),
};
const chainsi_type chainsi_api_health_type = STRUCT_TYPE(chainsi_api_health, health_fields);

/* Checks. */

/* Fit for a path, a URL and a file's name. */
static bool is_name(const char *text, size_t max)
{
    if (!isalnum((unsigned char)*text) && *text != '_')
        return false;
    size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return !text[size] && size <= max;
}

bool chainsi_api_is_chain_name(const char *text)
{
    return is_name(text, MAX_CHAIN);
}

static bool is_c_name(const char *text)
{
    return is_name(text, MAX_NAME) && !isdigit((unsigned char)*text) && !strpbrk(text, ".-");
}

static const chainsi_api_service *find_service(const chainsi_api_deploy *deploy, const char *name)
{
    for (size_t i = 0; i < deploy->services.count; i++)
        if (!strcmp(deploy->services.items[i].name, name))
            return &deploy->services.items[i];
    return NULL;
}

/* NaN is out of every range. */
static bool is_within(double value, double least, double most)
{
    return value >= least && value <= most;
}

chains_status chainsi_api_check_scaling(const chainsi_api_scaling *scaling, char *why,
                                        size_t why_size)
{
    if (scaling->max_replicas < 1 || scaling->max_replicas > MAX_REPLICAS)
        snprintf(why, why_size, "max_replicas is %d, and must be 1 to %d",
                 (int)scaling->max_replicas, MAX_REPLICAS);
    else if (scaling->min_replicas < 0 || scaling->min_replicas > scaling->max_replicas)
        snprintf(why, why_size, "min_replicas is %d, and must be 0 to max_replicas, which is %d",
                 (int)scaling->min_replicas, (int)scaling->max_replicas);
    else if (!is_within(scaling->concurrency_target, 1e-3, 1e6))
        snprintf(why, why_size, "concurrency_target is %g, and must be 0.001 to 1000000",
                 scaling->concurrency_target);
    else if (!is_within(scaling->target_utilization, 1e-3, 1))
        snprintf(why, why_size, "target_utilization is %g, and must be 0.001 to 1",
                 scaling->target_utilization);
    else if (!is_within(scaling->window_s, 1e-3, 1e9))
        snprintf(why, why_size, "window_s is %g, and must be 0.001 to 1e9", scaling->window_s);
    else if (!is_within(scaling->scale_down_delay_s, 0, 1e9))
        snprintf(why, why_size, "scale_down_delay_s is %g, and must be 0 (none) to 1e9",
                 scaling->scale_down_delay_s);
    else if (!is_within(scaling->scale_to_zero_delay_s, 0, 1e9))
        snprintf(why, why_size, "scale_to_zero_delay_s is %g, and must be 0 (none) to 1e9",
                 scaling->scale_to_zero_delay_s);
    else
        return CHAINS_OK;
    return CHAINS_INVALID_ARGUMENT;
}

static bool check_needs(const chainsi_api_service *service, size_t index, char *why, size_t size)
{
    char problem[256];
    if (service->concurrency < 1 || service->concurrency > MAX_SLOTS ||
        !is_within(service->cpu, 0, MAX_CPU) || service->memory < 0) {
        snprintf(why, size, "services[%zu]: concurrency, cpu or memory is out of range", index);
        return false;
    }
    char kind[CHAINSI_GPU_TEXT];
    size_t gpus;
    if (service->gpu && !chainsi_gpu_read_request(service->gpu, kind, &gpus)) {
        snprintf(why, size, "services[%zu].gpu '%s' is neither KIND nor KIND:COUNT", index,
                 service->gpu);
        return false;
    }
    if (chainsi_api_check_scaling(&service->scaling, problem, sizeof problem) != CHAINS_OK) {
        snprintf(why, size, "services[%zu].scaling of '%s': %s", index, service->name, problem);
        return false;
    }
    return true;
}

static bool check_assets(const chainsi_api_service *service, size_t index, char *why, size_t size)
{
    const chainsi_api_assets *assets = &service->assets;
    char problem[320];
    if (assets->count > MAX_ASSETS) {
        snprintf(why, size, "services[%zu].assets: more than %d", index, MAX_ASSETS);
        return false;
    }
    if (!chainsi_asset_links_check(assets->items, assets->count, problem, sizeof problem)) {
        snprintf(why, size, "'%s': %s", service->name, problem);
        return false;
    }
    for (size_t i = 0; i < assets->count; i++) {
        const chainsi_asset *asset = &assets->items[i];
        if (strspn(asset->sha256, "0123456789abcdef") == CHAINSI_DIGEST_DIGITS && *asset->url &&
            strlen(service->c_name) + 1 + strlen(asset->path) <= CHAINSI_RELATIVE_MOST)
            continue;
        snprintf(why, size,
                 "services[%zu].assets[%zu]: it has no url, its sha256 isn't in lower case, or its "
                 "path is too long",
                 index, i);
        return false;
    }
    return true;
}

static bool check_secrets(const chainsi_api_service *service, size_t index, char *why, size_t size)
{
    for (size_t i = 0; i < service->secrets.count; i++) {
        const char *name = service->secrets.items[i];
        bool good = i < MAX_SECRETS && chainsi_vault_is_name(name);
        for (size_t k = 0; good && k < i; k++)
            good = strcmp(service->secrets.items[k], name) != 0;
        if (good)
            continue;
        snprintf(why, size,
                 "services[%zu].secrets[%zu]: it is no name of a secret, named twice, or one too "
                 "many",
                 index, i);
        return false;
    }
    return true;
}

static bool check_service(const chainsi_api_deploy *deploy, size_t index, char *why, size_t size)
{
    const chainsi_api_service *service = &deploy->services.items[index];
    if (!is_name(service->name, MAX_NAME)) {
        snprintf(why, size, "services[%zu].name '%s' is no name", index, service->name);
        return false;
    }
    if (!is_c_name(service->c_name)) {
        snprintf(why, size, "services[%zu].c_name '%s' is no C name", index, service->c_name);
        return false;
    }
    for (size_t i = 0; i < index; i++) {
        const chainsi_api_service *other = &deploy->services.items[i];
        if (!strcmp(other->name, service->name) || !strcmp(other->c_name, service->c_name)) {
            snprintf(why, size, "services[%zu] and services[%zu] have one name, '%s'", i, index,
                     service->name);
            return false;
        }
    }
    if (service->binary[0] != '/') {
        snprintf(why, size, "services[%zu].binary '%s' is no absolute path", index,
                 service->binary);
        return false;
    }
    for (size_t i = 0; i < service->dependencies.count; i++) {
        if (find_service(deploy, service->dependencies.items[i]))
            continue;
        snprintf(why, size, "services[%zu].dependencies[%zu]: there is no service '%s'", index, i,
                 service->dependencies.items[i]);
        return false;
    }
    for (size_t i = 0; i < service->env.count; i++) {
        const char *name = service->env.items[i].name;
        if (*name && !strchr(name, '='))
            continue;
        snprintf(why, size, "services[%zu].env[%zu].name '%s' is no variable's name", index, i,
                 name);
        return false;
    }
    if (!(service->start_timeout_s > 0 && service->start_timeout_s < 1e9) ||
        !(service->drain_timeout_s >= 0 && service->drain_timeout_s < 1e9) ||
        !(service->progress_timeout_s >= 0 && service->progress_timeout_s < 1e9) ||
        service->max_queue < 1 || service->max_queue > CHAINSI_QUEUE_MOST ||
        service->max_body < 1) {
        snprintf(why, size, "services[%zu]: a timeout, max_queue or max_body is out of range",
                 index);
        return false;
    }
    return check_needs(service, index, why, size) && check_assets(service, index, why, size) &&
           check_secrets(service, index, why, size);
}

/* Whether following dependencies from the service comes back to one on the way. */
static bool has_cycle(const chainsi_api_deploy *deploy, const chainsi_api_service *service,
                      unsigned char *marks)
{
    enum { ON_THE_WAY = 1, CLEARED = 2 };
    size_t index = (size_t)(service - deploy->services.items);
    if (marks[index])
        return marks[index] == ON_THE_WAY;
    marks[index] = ON_THE_WAY;
    for (size_t i = 0; i < service->dependencies.count; i++)
        if (has_cycle(deploy, find_service(deploy, service->dependencies.items[i]), marks))
            return true;
    marks[index] = CLEARED;
    return false;
}

chains_status chainsi_api_check_environment(const char *name, char *why, size_t why_size)
{
    if (!is_name(name, MAX_CHAIN))
        snprintf(why, why_size,
                 "environment '%s' is no name: at most %d letters, digits, '.', '_' and '-'", name,
                 MAX_CHAIN);
    else if (!strcmp(name, "versions"))
        snprintf(why, why_size,
                 "no environment can be called 'versions', which is a part of paths");
    else
        return CHAINS_OK;
    return CHAINS_INVALID_ARGUMENT;
}

chains_status chainsi_api_check_canary(const chainsi_api_canary *canary, char *why, size_t why_size)
{
    if (!is_within(canary->percent, 0, 100) || canary->percent == 100)
        snprintf(why, why_size, "canary.percent is not from 0 to less than 100");
    else if (!is_within(canary->max_error_rate_increase, 0, 1))
        snprintf(why, why_size, "canary.max_error_rate_increase is not from 0 to 1");
    else if (canary->percent > 0 && !is_within(canary->max_p99_ratio, 1, 1e6))
        snprintf(why, why_size, "canary.max_p99_ratio is not from 1 to 1000000");
    else if (canary->percent > 0 && !is_within(canary->minutes, 1e-3, MAX_CANARY_MINUTES))
        snprintf(why, why_size, "canary.minutes is not from 0.001 to %d", MAX_CANARY_MINUTES);
    else
        return CHAINS_OK;
    return CHAINS_INVALID_ARGUMENT;
}

/* What only describes a version. */
static bool check_origin(const chainsi_api_deploy *deploy, char *why, size_t size)
{
    const char *digest = deploy->source_digest, *interface = deploy->interface;
    if (digest && (strlen(digest) != 64 || strspn(digest, "0123456789abcdef") != 64))
        snprintf(why, size, "source_digest is not 64 small hex digits");
    else if (interface && (strlen(interface) != 16 || strspn(interface, "0123456789abcdef") != 16))
        snprintf(why, size, "interface is not 16 small hex digits");
    else if (deploy->created_by && strlen(deploy->created_by) > MAX_NAME)
        snprintf(why, size, "created_by is longer than %d bytes", MAX_NAME);
    else if (deploy->patience_s && !is_within(*deploy->patience_s, 0, CHAINSI_API_MOST_PATIENCE_S))
        snprintf(why, size, "patience_s is not from 0 to %d", CHAINSI_API_MOST_PATIENCE_S);
    else
        return true;
    return false;
}

chains_status chainsi_api_check_deploy(const chainsi_api_deploy *deploy, char *why, size_t why_size)
{
    if (!is_name(deploy->chain, MAX_CHAIN)) {
        snprintf(why, why_size,
                 "chain '%s' is no name: at most %d letters, digits, '.', '_' and '-'",
                 deploy->chain, MAX_CHAIN);
        return CHAINS_INVALID_ARGUMENT;
    }
    if (chainsi_api_check_environment(deploy->environment, why, why_size) != CHAINS_OK ||
        chainsi_api_check_canary(&deploy->canary, why, why_size) != CHAINS_OK ||
        !check_origin(deploy, why, why_size))
        return CHAINS_INVALID_ARGUMENT;
    if (!deploy->services.count || deploy->services.count > MAX_SERVICES) {
        snprintf(why, why_size, "services: there must be between 1 and %d", MAX_SERVICES);
        return CHAINS_INVALID_ARGUMENT;
    }
    for (size_t i = 0; i < deploy->services.count; i++)
        if (!check_service(deploy, i, why, why_size))
            return CHAINS_INVALID_ARGUMENT;
    if (!find_service(deploy, deploy->entrypoint)) {
        snprintf(why, why_size, "entrypoint: there is no service '%s'", deploy->entrypoint);
        return CHAINS_INVALID_ARGUMENT;
    }
    unsigned char marks[MAX_SERVICES] = { 0 };
    for (size_t i = 0; i < deploy->services.count; i++) {
        if (!has_cycle(deploy, &deploy->services.items[i], marks))
            continue;
        snprintf(why, why_size, "services: the dependencies of '%s' lead back to it",
                 deploy->services.items[i].name);
        return CHAINS_INVALID_ARGUMENT;
    }
    return CHAINS_OK;
}

chainsi_scaling_options chainsi_api_scaling_options(const chainsi_api_scaling *scaling)
{
    return (chainsi_scaling_options){
        .min_replicas = scaling->min_replicas,
        .max_replicas = scaling->max_replicas,
        .concurrency_target = scaling->concurrency_target,
        .target_utilization = scaling->target_utilization,
        .window_s = scaling->window_s,
        .scale_down_delay_s = scaling->scale_down_delay_s,
        .scale_to_zero_delay_s = scaling->scale_to_zero_delay_s,
    };
}

chainsi_api_scaling chainsi_api_scaling_of(const chainsi_scaling_options *options)
{
    return (chainsi_api_scaling){
        .min_replicas = (int32_t)options->min_replicas,
        .max_replicas = (int32_t)options->max_replicas,
        .concurrency_target = options->concurrency_target,
        .target_utilization = options->target_utilization,
        .window_s = options->window_s,
        .scale_down_delay_s = options->scale_down_delay_s,
        .scale_to_zero_delay_s = options->scale_to_zero_delay_s,
    };
}
