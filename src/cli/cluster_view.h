/* What the API server says of a version's objects, as far as it is looked at: lists of pods, Deployments and others, as C
 * structs that the codecs fill. What isn't said is NULL, 0 or false. */
#ifndef CHAINSI_CLI_CLUSTER_VIEW_H
#define CHAINSI_CLI_CLUSTER_VIEW_H

#include "cluster/object.h"
#include "schema/codec.h"

typedef struct chainsi_view_condition {
    const char *type, *status, *reason, *message;
    const char *since; /* lastTransitionTime */
} chainsi_view_condition;
typedef struct chainsi_view_conditions {
    chainsi_view_condition *items;
    size_t count;
} chainsi_view_conditions;

/* Why a container waits, or how it ended. */
typedef struct chainsi_view_waiting {
    const char *reason, *message;
} chainsi_view_waiting;
typedef struct chainsi_view_terminated {
    const char *reason, *message;
    int64_t exit_code, signal;
} chainsi_view_terminated;
typedef struct chainsi_view_state {
    const chainsi_view_waiting *waiting;
    const chainsi_view_terminated *terminated;
} chainsi_view_state;
typedef struct chainsi_view_container {
    const char *name, *image;
    bool ready;
    int64_t restarts;
    const chainsi_view_state *state, *last_state;
} chainsi_view_container;
typedef struct chainsi_view_containers {
    chainsi_view_container *items;
    size_t count;
} chainsi_view_containers;

/* Of pods, Deployments and Knative's Services. */
typedef struct chainsi_view_status {
    const char *phase, *reason, *message, *url;
    const chainsi_view_conditions *conditions;
    const chainsi_view_containers *containers, *steps;
    int64_t observed_generation, replicas, ready_replicas, updated_replicas;
} chainsi_view_status;
typedef struct chainsi_view_spec {
    const int64_t *replicas;
    const char *node; /* of a pod */
} chainsi_view_spec;

/* Of any kind; data is a ConfigMap's or a Secret's. */
typedef struct chainsi_view_object {
    const char *api_version, *kind; /* NULL in a list */
    chainsi_object_metadata metadata;
    const chainsi_view_spec *spec;
    const chainsi_view_status *status;
    const chainsi_object_map *data;
} chainsi_view_object;
typedef struct chainsi_view_list {
    chainsi_view_object *items;
    size_t count;
} chainsi_view_list;

typedef struct chainsi_view_event {
    const char *reason, *message, *kind, *name;
} chainsi_view_event;
typedef struct chainsi_view_events {
    chainsi_view_event *items;
    size_t count;
} chainsi_view_events;

/* Read JSON of the API server; what it says lives in arena. False: it is something else. */
bool chainsi_view_read(const chainsi_buffer *json, chainsi_arena *arena,
                       chainsi_view_object *object);
bool chainsi_view_read_list(const chainsi_buffer *json, chainsi_arena *arena,
                            chainsi_view_list *list);
bool chainsi_view_read_events(const chainsi_buffer *json, chainsi_arena *arena,
                              chainsi_view_events *events);
/* The value; NULL: there is none, or no map. */
const char *chainsi_view_find(const chainsi_object_map *map, const char *key);
/* The condition of that type; NULL. */
const chainsi_view_condition *chainsi_view_condition_of(const chainsi_view_object *object,
                                                        const char *type);
/* Whether a pod takes calls. */
bool chainsi_view_is_ready(const chainsi_view_object *pod);

#endif
