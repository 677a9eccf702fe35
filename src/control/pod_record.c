#include "control/pod_record.h"

#include <stdio.h>
#include <string.h>

#include "control/fields.h"
#include "schema/json.h"

/* The objects, as far as they are looked at. */

typedef struct pair {
    const char *key;
    const char *value;
} pair;
typedef struct pairs {
    pair *items;
    size_t count;
} pairs;
static const chainsi_type pairs_type = {
    .kind = CHAINSI_MAP,
    .size = sizeof(pairs),
    .item = &chainsi_type_string,
    .entry_size = sizeof(pair),
    .value_offset = offsetof(pair, value),
};
static const pairs no_pairs;
static const int64_t zero, one = 1;

typedef struct owner {
    const char *kind, *name;
} owner;
typedef struct owners {
    owner *items;
    size_t count;
} owners;
static const chainsi_field owner_fields[] = {
    CHAINSI_FIELD_TEXT(owner, kind),
    CHAINSI_FIELD_TEXT(owner, name),
};
static const chainsi_type owner_type = CHAINSI_STRUCT_OF(owner, owner_fields);
static const chainsi_type owners_type = CHAINSI_LIST_OF(owners, &owner_type);
static const owners no_owners;

typedef struct metadata {
    const char *name, *uid, *creationTimestamp, *deletionTimestamp;
    pairs labels, annotations;
    owners ownerReferences;
} metadata;
static const chainsi_field metadata_fields[] = {
    CHAINSI_FIELD_TEXT(metadata, name),
    CHAINSI_FIELD_NULLABLE(metadata, uid),
    CHAINSI_FIELD_NULLABLE(metadata, creationTimestamp),
    CHAINSI_FIELD_NULLABLE(metadata, deletionTimestamp),
    { CHAINSI_FIELD(metadata, labels, &pairs_type), .default_value = &no_pairs },
    { CHAINSI_FIELD(metadata, annotations, &pairs_type), .default_value = &no_pairs },
    { CHAINSI_FIELD(metadata, ownerReferences, &owners_type), .default_value = &no_owners },
};
static const chainsi_type metadata_type = CHAINSI_STRUCT_OF(metadata, metadata_fields);

typedef struct condition {
    const char *type, *status, *reason, *message;
} condition;
typedef struct conditions {
    condition *items;
    size_t count;
} conditions;
static const chainsi_field condition_fields[] = {
    CHAINSI_FIELD_TEXT(condition, type),
    CHAINSI_FIELD_TEXT(condition, status),
    CHAINSI_FIELD_NULLABLE(condition, reason),
    CHAINSI_FIELD_NULLABLE(condition, message),
};
static const chainsi_type condition_type = CHAINSI_STRUCT_OF(condition, condition_fields);
static const chainsi_type conditions_type = CHAINSI_LIST_OF(conditions, &condition_type);
static const conditions no_conditions;

typedef struct container_state {
    const char *reason, *message, *startedAt;
    int64_t exitCode, signal;
} container_state;
static const chainsi_field container_state_fields[] = {
    CHAINSI_FIELD_NULLABLE(container_state, reason),
    CHAINSI_FIELD_NULLABLE(container_state, message),
    CHAINSI_FIELD_NULLABLE(container_state, startedAt),
    { CHAINSI_FIELD(container_state, exitCode, &chainsi_type_int64), .default_value = &zero },
    { CHAINSI_FIELD(container_state, signal, &chainsi_type_int64), .default_value = &zero },
};
static const chainsi_type container_state_type =
    CHAINSI_STRUCT_OF(container_state, container_state_fields);
static const chainsi_type container_state_pointer = CHAINSI_POINTER_TO(&container_state_type);

typedef struct container_states {
    const container_state *waiting, *running, *terminated;
} container_states;
static const chainsi_field container_states_fields[] = {
    CHAINSI_FIELD_OPTIONAL(container_states, waiting, &container_state_pointer),
    CHAINSI_FIELD_OPTIONAL(container_states, running, &container_state_pointer),
    CHAINSI_FIELD_OPTIONAL(container_states, terminated, &container_state_pointer),
};
static const chainsi_type container_states_type =
    CHAINSI_STRUCT_OF(container_states, container_states_fields);
static const container_states no_states;

typedef struct container {
    int64_t restartCount;
    container_states state, lastState;
} container;
typedef struct containers {
    container *items;
    size_t count;
} containers;
static const chainsi_field container_fields[] = {
    { CHAINSI_FIELD(container, restartCount, &chainsi_type_int64), .default_value = &zero },
    { CHAINSI_FIELD(container, state, &container_states_type), .default_value = &no_states },
    { CHAINSI_FIELD(container, lastState, &container_states_type), .default_value = &no_states },
};
static const chainsi_type container_type = CHAINSI_STRUCT_OF(container, container_fields);
static const chainsi_type containers_type = CHAINSI_LIST_OF(containers, &container_type);
static const containers no_containers;

typedef struct pod_spec {
    const char *nodeName;
} pod_spec;
static const chainsi_field pod_spec_fields[] = { CHAINSI_FIELD_NULLABLE(pod_spec, nodeName) };
static const chainsi_type pod_spec_type = CHAINSI_STRUCT_OF(pod_spec, pod_spec_fields);

typedef struct pod_status {
    const char *phase, *podIP, *reason, *message;
    conditions conditions;
    containers containerStatuses, initContainerStatuses;
} pod_status;
static const chainsi_field pod_status_fields[] = {
    CHAINSI_FIELD_NULLABLE(pod_status, phase),
    CHAINSI_FIELD_NULLABLE(pod_status, podIP),
    CHAINSI_FIELD_NULLABLE(pod_status, reason),
    CHAINSI_FIELD_NULLABLE(pod_status, message),
    { CHAINSI_FIELD(pod_status, conditions, &conditions_type), .default_value = &no_conditions },
    { CHAINSI_FIELD(pod_status, containerStatuses, &containers_type),
      .default_value = &no_containers },
    { CHAINSI_FIELD(pod_status, initContainerStatuses, &containers_type),
      .default_value = &no_containers },
};
static const chainsi_type pod_status_type = CHAINSI_STRUCT_OF(pod_status, pod_status_fields);
static const pod_spec no_pod_spec;
static const pod_status no_pod_status;

typedef struct pod_object {
    metadata metadata;
    pod_spec spec;
    pod_status status;
} pod_object;
static const chainsi_field pod_object_fields[] = {
    CHAINSI_FIELD_OF(pod_object, metadata, &metadata_type),
    { CHAINSI_FIELD(pod_object, spec, &pod_spec_type), .default_value = &no_pod_spec },
    { CHAINSI_FIELD(pod_object, status, &pod_status_type), .default_value = &no_pod_status },
};
static const chainsi_type pod_object_type = CHAINSI_STRUCT_OF(pod_object, pod_object_fields);

typedef struct deployment_spec {
    int64_t replicas;
} deployment_spec;
static const chainsi_field deployment_spec_fields[] = {
    { CHAINSI_FIELD(deployment_spec, replicas, &chainsi_type_int64), .default_value = &one },
};
static const chainsi_type deployment_spec_type =
    CHAINSI_STRUCT_OF(deployment_spec, deployment_spec_fields);

typedef struct deployment_status {
    conditions conditions;
} deployment_status;
static const chainsi_field deployment_status_fields[] = {
    { CHAINSI_FIELD(deployment_status, conditions, &conditions_type),
      .default_value = &no_conditions },
};
static const chainsi_type deployment_status_type =
    CHAINSI_STRUCT_OF(deployment_status, deployment_status_fields);
static const deployment_status no_deployment_status;

typedef struct deployment_object {
    metadata metadata;
    deployment_spec spec;
    deployment_status status;
} deployment_object;
static const chainsi_field deployment_object_fields[] = {
    CHAINSI_FIELD_OF(deployment_object, metadata, &metadata_type),
    CHAINSI_FIELD_OF(deployment_object, spec, &deployment_spec_type),
    { CHAINSI_FIELD(deployment_object, status, &deployment_status_type),
      .default_value = &no_deployment_status },
};
static const chainsi_type deployment_object_type =
    CHAINSI_STRUCT_OF(deployment_object, deployment_object_fields);

typedef struct map_object {
    metadata metadata;
    pairs data;
} map_object;
static const chainsi_field map_object_fields[] = {
    CHAINSI_FIELD_OF(map_object, metadata, &metadata_type),
    { CHAINSI_FIELD(map_object, data, &pairs_type), .default_value = &no_pairs },
};
static const chainsi_type map_object_type = CHAINSI_STRUCT_OF(map_object, map_object_fields);

static bool read_object(const chainsi_type *type, const char *json, size_t size,
                        chainsi_arena *arena, void *object, char *why, size_t why_size)
{
    chainsi_codec_error error;
    if (chainsi_json_decode(type, json, size, arena, object, &error) == CHAINS_OK)
        return true;
    snprintf(why, why_size, "%s %s", error.path, error.message);
    return false;
}

static const char *text_or_none(const char *text)
{
    return text ? text : "";
}

static const char *find_pair(const pairs *all, const char *key)
{
    for (size_t i = 0; i < all->count; i++)
        if (!strcmp(all->items[i].key, key))
            return text_or_none(all->items[i].value);
    return "";
}

static const condition *find_condition(const conditions *all, const char *type)
{
    for (size_t i = 0; i < all->count; i++)
        if (!strcmp(all->items[i].type, type))
            return &all->items[i];
    return NULL;
}

static bool holds(const conditions *all, const char *type)
{
    const condition *found = find_condition(all, type);
    return found && !strcmp(found->status, "True");
}

/* "Reason: message", of what there is of it. */
static const char *put_together(chainsi_arena *arena, const char *reason, const char *message)
{
    if (reason && *reason && message && *message)
        return chainsi_arena_printf(arena, "%s: %s", reason, message);
    return reason && *reason ? reason : text_or_none(message);
}

/* Pods. */

/* A ReplicaSet is called DEPLOYMENT-HASH, and its pods say the hash. */
static const char *find_object(const metadata *meta, chainsi_arena *arena)
{
    const char *hash = find_pair(&meta->labels, "pod-template-hash");
    const size_t hash_size = strlen(hash);
    for (size_t i = 0; *hash && i < meta->ownerReferences.count; i++) {
        const owner *by = &meta->ownerReferences.items[i];
        const size_t size = strlen(by->name);
        if (!strcmp(by->kind, "ReplicaSet") && size > hash_size + 1 &&
            !strcmp(by->name + size - hash_size, hash) && by->name[size - hash_size - 1] == '-')
            return chainsi_arena_copy(arena, by->name, size - hash_size - 1);
    }
    return "";
}

/* What its container waits for that doesn't come by itself, at least not soon. */
static void judge(const char *reason, chainsi_pod *pod)
{
    static const struct {
        const char *name;
        bool may_pass;
    } reasons[] = {
        { "ImagePullBackOff", true },     { "InvalidImageName", false },
        { "ErrImageNeverPull", false },   { "CreateContainerConfigError", false },
        { "CreateContainerError", true }, { "RunContainerError", true },
        { "ImageInspectError", true },    { "RegistryUnavailable", true },
    };
    pod->hopeless = pod->may_pass = false;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (!strcmp(reason, reasons[i].name)) {
            pod->hopeless = true;
            pod->may_pass = reasons[i].may_pass;
        }
}

static void describe_end(const container_state *ended, chainsi_arena *arena, chainsi_pod *pod)
{
    if (ended->reason && !strcmp(ended->reason, "OOMKilled")) {
        pod->out_of_memory = true;
        pod->last_end = "it exceeded its memory limit (.memory), and was killed";
    } else if (ended->signal) {
        pod->last_end =
            chainsi_arena_printf(arena, "killed by signal %lld (%s)", (long long)ended->signal,
                                 text_or_none(strsignal((int)ended->signal)));
    } else if (ended->exitCode > 128 && ended->exitCode < 128 + 65) {
        const int signal = (int)ended->exitCode - 128; /* as runtimes tell of it */
        pod->last_end = chainsi_arena_printf(arena, "killed by signal %d (%s)", signal,
                                             text_or_none(strsignal(signal)));
    } else {
        pod->last_end = chainsi_arena_printf(
            arena, "exit status %lld%s%s", (long long)ended->exitCode,
            ended->message && *ended->message ? ": " : "", text_or_none(ended->message));
    }
}

static void read_container(const container *it, chainsi_arena *arena, chainsi_pod *pod)
{
    const container_state *waiting = it->state.waiting;
    pod->restarts = it->restartCount;
    if (it->state.running && it->state.running->startedAt)
        pod->started_at = it->state.running->startedAt;
    if (it->state.terminated)
        describe_end(it->state.terminated, arena, pod);
    else if (it->lastState.terminated)
        describe_end(it->lastState.terminated, arena, pod);
    if (!waiting || !waiting->reason)
        return;
    pod->why = put_together(arena, waiting->reason, waiting->message);
    judge(waiting->reason, pod);
    pod->crashing = !strcmp(waiting->reason, "CrashLoopBackOff");
}

static chainsi_pod_phase find_phase(const pod_object *object)
{
    const pod_status *status = &object->status;
    const char *phase = text_or_none(status->phase);
    if (object->metadata.deletionTimestamp)
        return CHAINSI_POD_LEAVING;
    if (!strcmp(phase, "Failed") || !strcmp(phase, "Succeeded"))
        return CHAINSI_POD_ENDED;
    if (status->podIP && holds(&status->conditions, "Ready"))
        return CHAINSI_POD_READY;
    return status->containerStatuses.count && status->containerStatuses.items[0].state.running
               ? CHAINSI_POD_STARTING
               : CHAINSI_POD_WAITING;
}

bool chainsi_pod_read(const char *json, size_t size, chainsi_arena *arena, chainsi_pod *pod,
                      char *why, size_t why_size)
{
    pod_object object;
    if (!read_object(&pod_object_type, json, size, arena, &object, why, why_size))
        return false;
    const pod_status *status = &object.status;
    *pod = (chainsi_pod){
        .name = object.metadata.name,
        .uid = text_or_none(object.metadata.uid),
        .object = find_object(&object.metadata, arena),
        .ip = text_or_none(status->podIP),
        .node = text_or_none(object.spec.nodeName),
        .started_at = text_or_none(object.metadata.creationTimestamp),
        .phase = find_phase(&object),
        .why = "",
        .last_end = "",
    };
    for (size_t i = 0; i < status->containerStatuses.count; i++)
        read_container(&status->containerStatuses.items[i], arena, pod);
    /* A step before it that fails is what it waits for. */
    for (size_t i = 0; i < status->initContainerStatuses.count && !pod->hopeless; i++) {
        const container *step = &status->initContainerStatuses.items[i];
        if (!step->state.running && !(step->state.terminated && !step->state.terminated->exitCode))
            read_container(step, arena, pod);
    }
    const condition *placed = find_condition(&status->conditions, "PodScheduled");
    if (placed && strcmp(placed->status, "True") != 0 && !*pod->why)
        pod->why = put_together(arena, placed->reason, placed->message);
    if (pod->phase == CHAINSI_POD_ENDED)
        pod->why =
            put_together(arena, status->reason ? status->reason : status->phase, status->message);
    return true;
}

/* Deployments and ConfigMaps. */

bool chainsi_pod_deployment_read(const char *json, size_t size, chainsi_arena *arena,
                                 chainsi_pod_deployment *deployment, char *why, size_t why_size)
{
    deployment_object object;
    if (!read_object(&deployment_object_type, json, size, arena, &object, why, why_size))
        return false;
    const condition *failure = find_condition(&object.status.conditions, "ReplicaFailure");
    *deployment = (chainsi_pod_deployment){
        .name = object.metadata.name,
        .chain = find_pair(&object.metadata.labels, "chains.dev/chain"),
        .version = find_pair(&object.metadata.labels, "chains.dev/version"),
        .replicas = object.spec.replicas,
        .why = failure && !strcmp(failure->status, "True")
                   ? put_together(arena, failure->reason, failure->message)
                   : "",
    };
    return true;
}

bool chainsi_pod_version_read(const char *json, size_t size, chainsi_arena *arena,
                              chainsi_pod_version *version, char *why, size_t why_size)
{
    map_object object;
    if (!read_object(&map_object_type, json, size, arena, &object, why, why_size))
        return false;
    *version = (chainsi_pod_version){
        .name = object.metadata.name,
        .uid = text_or_none(object.metadata.uid),
        .chain = find_pair(&object.data, "chain"),
        .version = find_pair(&object.data, "version"),
        .deploy = find_pair(&object.data, "deploy.json"),
        .services = find_pair(&object.data, "services.json"),
        .autoscaler = find_pair(&object.data, "autoscaler"),
        .tls = !strcmp(find_pair(&object.data, "tls"), "on"),
        .chain_label = find_pair(&object.metadata.labels, "chains.dev/chain"),
        .version_label = find_pair(&object.metadata.labels, "chains.dev/version"),
        .state = find_pair(&object.metadata.annotations, "chains.dev/state"),
        .message = find_pair(&object.metadata.annotations, "chains.dev/message"),
        .requested = find_pair(&object.metadata.annotations, "chains.dev/requested"),
        .handled = find_pair(&object.metadata.annotations, "chains.dev/handled"),
        .leaving = object.metadata.deletionTimestamp != NULL,
    };
    return true;
}
