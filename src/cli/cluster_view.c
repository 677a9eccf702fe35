/* Tables of what the API server says. Whatever it may leave out is a pointer, or has a default. */
#include "cli/cluster_view.h"

#include <string.h>

#include "schema/fields.h"
#include "schema/json.h"

#define NUMBER(struct_, field_, name_)                                                             \
    {                                                                                              \
        .name = (name_), .name_size = sizeof(name_) - 1, .offset = offsetof(struct_, field_),      \
        .type = &chainsi_type_int64, .default_value = &zero                                        \
    }
/* Most things say why in two ways, for programs and for people. */
#define WHY(struct_)                                                                               \
    CHAINSI_FIELD_NAMED(struct_, reason, "reason"), CHAINSI_FIELD_NAMED(struct_, message, "message")

static const int64_t zero;
static const bool no;

static const chainsi_type map_pointer = CHAINSI_POINTER_TO(&chainsi_object_map_type);

static const chainsi_field condition_fields[] = {
    CHAINSI_FIELD_NAMED(chainsi_view_condition, type, "type"),
    CHAINSI_FIELD_NAMED(chainsi_view_condition, status, "status"),
    WHY(chainsi_view_condition),
    CHAINSI_FIELD_NAMED(chainsi_view_condition, since, "lastTransitionTime"),
};
static const chainsi_type condition_type =
    CHAINSI_STRUCT_OF(chainsi_view_condition, condition_fields);
static const chainsi_type conditions_type =
    CHAINSI_LIST_OF(chainsi_view_conditions, &condition_type);
static const chainsi_type conditions_pointer = CHAINSI_POINTER_TO(&conditions_type);

static const chainsi_field waiting_fields[] = {
    WHY(chainsi_view_waiting),
};
static const chainsi_type waiting_type = CHAINSI_STRUCT_OF(chainsi_view_waiting, waiting_fields);
static const chainsi_type waiting_pointer = CHAINSI_POINTER_TO(&waiting_type);
static const chainsi_field terminated_fields[] = {
    WHY(chainsi_view_terminated),
    NUMBER(chainsi_view_terminated, exit_code, "exitCode"),
    NUMBER(chainsi_view_terminated, signal, "signal"),
};
static const chainsi_type terminated_type =
    CHAINSI_STRUCT_OF(chainsi_view_terminated, terminated_fields);
static const chainsi_type terminated_pointer = CHAINSI_POINTER_TO(&terminated_type);
static const chainsi_field state_fields[] = {
    CHAINSI_FIELD_NAMED_OF(chainsi_view_state, waiting, "waiting", &waiting_pointer),
    CHAINSI_FIELD_NAMED_OF(chainsi_view_state, terminated, "terminated", &terminated_pointer),
};
static const chainsi_type state_type = CHAINSI_STRUCT_OF(chainsi_view_state, state_fields);
static const chainsi_type state_pointer = CHAINSI_POINTER_TO(&state_type);
static const chainsi_field container_fields[] = {
    CHAINSI_FIELD_NAMED(chainsi_view_container, name, "name"),
    CHAINSI_FIELD_NAMED(chainsi_view_container, image, "image"),
    { CHAINSI_FIELD(chainsi_view_container, ready, &chainsi_type_bool), .default_value = &no },
    NUMBER(chainsi_view_container, restarts, "restartCount"),
    CHAINSI_FIELD_NAMED_OF(chainsi_view_container, state, "state", &state_pointer),
    CHAINSI_FIELD_NAMED_OF(chainsi_view_container, last_state, "lastState", &state_pointer),
};
static const chainsi_type container_type =
    CHAINSI_STRUCT_OF(chainsi_view_container, container_fields);
static const chainsi_type containers_type =
    CHAINSI_LIST_OF(chainsi_view_containers, &container_type);
static const chainsi_type containers_pointer = CHAINSI_POINTER_TO(&containers_type);

static const chainsi_field status_fields[] = {
    CHAINSI_FIELD_NAMED(chainsi_view_status, phase, "phase"),
    WHY(chainsi_view_status),
    CHAINSI_FIELD_NAMED(chainsi_view_status, url, "url"),
    CHAINSI_FIELD_NAMED_OF(chainsi_view_status, conditions, "conditions", &conditions_pointer),
    CHAINSI_FIELD_NAMED_OF(chainsi_view_status, containers, "containerStatuses",
                           &containers_pointer),
    CHAINSI_FIELD_NAMED_OF(chainsi_view_status, steps, "initContainerStatuses",
                           &containers_pointer),
    NUMBER(chainsi_view_status, observed_generation, "observedGeneration"),
    NUMBER(chainsi_view_status, replicas, "replicas"),
    NUMBER(chainsi_view_status, ready_replicas, "readyReplicas"),
    NUMBER(chainsi_view_status, updated_replicas, "updatedReplicas"),
};
static const chainsi_type status_type = CHAINSI_STRUCT_OF(chainsi_view_status, status_fields);
static const chainsi_type status_pointer = CHAINSI_POINTER_TO(&status_type);
static const chainsi_type number_pointer = CHAINSI_POINTER_TO(&chainsi_type_int64);
static const chainsi_field spec_fields[] = {
    CHAINSI_FIELD_NAMED_OF(chainsi_view_spec, replicas, "replicas", &number_pointer),
    CHAINSI_FIELD_NAMED(chainsi_view_spec, node, "nodeName"),
};
static const chainsi_type spec_type = CHAINSI_STRUCT_OF(chainsi_view_spec, spec_fields);
static const chainsi_type spec_pointer = CHAINSI_POINTER_TO(&spec_type);

static const chainsi_field object_fields[] = {
    CHAINSI_FIELD_NAMED(chainsi_view_object, api_version, "apiVersion"),
    CHAINSI_FIELD_NAMED(chainsi_view_object, kind, "kind"),
    CHAINSI_FIELD_OF(chainsi_view_object, metadata, &chainsi_object_metadata_type),
    CHAINSI_FIELD_NAMED_OF(chainsi_view_object, spec, "spec", &spec_pointer),
    CHAINSI_FIELD_NAMED_OF(chainsi_view_object, status, "status", &status_pointer),
    CHAINSI_FIELD_NAMED_OF(chainsi_view_object, data, "data", &map_pointer),
};
static const chainsi_type object_type = CHAINSI_STRUCT_OF(chainsi_view_object, object_fields);
static const chainsi_type objects_type = CHAINSI_LIST_OF(chainsi_view_list, &object_type);
static const chainsi_type objects_pointer = CHAINSI_POINTER_TO(&objects_type);

typedef struct listed {
    const chainsi_view_list *items;
} listed;
static const chainsi_field listed_fields[] = { CHAINSI_FIELD_NAMED_OF(listed, items, "items",
                                                                      &objects_pointer) };
static const chainsi_type listed_type = CHAINSI_STRUCT_OF(listed, listed_fields);

/* Events, with what they are about. */
typedef struct involved {
    const char *kind, *name;
} involved;
typedef struct event {
    const char *reason, *message;
    involved about;
} event;
typedef struct event_list {
    event *items;
    size_t count;
} event_list;
typedef struct listed_events {
    const event_list *items;
} listed_events;
static const chainsi_field involved_fields[] = {
    CHAINSI_FIELD_NAMED(involved, kind, "kind"),
    CHAINSI_FIELD_NAMED(involved, name, "name"),
};
static const chainsi_type involved_type = CHAINSI_STRUCT_OF(involved, involved_fields);
static const chainsi_field event_fields[] = {
    WHY(event),
    { .name = "involvedObject",
      .name_size = sizeof "involvedObject" - 1,
      .offset = offsetof(event, about),
      .type = &involved_type },
};
static const chainsi_type event_type = CHAINSI_STRUCT_OF(event, event_fields);
static const chainsi_type events_type = CHAINSI_LIST_OF(event_list, &event_type);
static const chainsi_type events_pointer = CHAINSI_POINTER_TO(&events_type);
static const chainsi_field listed_events_fields[] = { CHAINSI_FIELD_NAMED_OF(
    listed_events, items, "items", &events_pointer) };
static const chainsi_type listed_events_type =
    CHAINSI_STRUCT_OF(listed_events, listed_events_fields);

static bool read(const chainsi_type *type, const chainsi_buffer *json, chainsi_arena *arena,
                 void *value)
{
    return chainsi_json_decode(type, (const char *)json->data, json->size, arena, value, NULL) ==
           CHAINS_OK;
}

bool chainsi_view_read(const chainsi_buffer *json, chainsi_arena *arena,
                       chainsi_view_object *object)
{
    return read(&object_type, json, arena, object);
}

bool chainsi_view_read_list(const chainsi_buffer *json, chainsi_arena *arena,
                            chainsi_view_list *list)
{
    listed all;
    if (!read(&listed_type, json, arena, &all))
        return false;
    *list = all.items ? *all.items : (chainsi_view_list){ 0 };
    return true;
}

bool chainsi_view_read_events(const chainsi_buffer *json, chainsi_arena *arena,
                              chainsi_view_events *events)
{
    listed_events all;
    if (!read(&listed_events_type, json, arena, &all))
        return false;
    *events = (chainsi_view_events){ .count = all.items ? all.items->count : 0 };
    events->items = chainsi_arena_array(arena, events->count, sizeof *events->items);
    for (size_t i = 0; i < events->count; i++) {
        const event *from = &all.items->items[i];
        events->items[i] =
            (chainsi_view_event){ from->reason, from->message, from->about.kind, from->about.name };
    }
    return true;
}

const char *chainsi_view_find(const chainsi_object_map *map, const char *key)
{
    for (size_t i = 0; map && i < map->count; i++)
        if (!strcmp(map->items[i].key, key))
            return map->items[i].value;
    return NULL;
}

const chainsi_view_condition *chainsi_view_condition_of(const chainsi_view_object *object,
                                                        const char *type)
{
    const chainsi_view_conditions *all = object->status ? object->status->conditions : NULL;
    for (size_t i = 0; all && i < all->count; i++)
        if (all->items[i].type && !strcmp(all->items[i].type, type))
            return &all->items[i];
    return NULL;
}

bool chainsi_view_is_ready(const chainsi_view_object *pod)
{
    const chainsi_view_condition *ready = chainsi_view_condition_of(pod, "Ready");
    return ready && ready->status && !strcmp(ready->status, "True") && !pod->metadata.deleted;
}
