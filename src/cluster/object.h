/* What all objects of a cluster have, and how they are named and applied. */
#ifndef CHAINSI_CLUSTER_OBJECT_H
#define CHAINSI_CLUSTER_OBJECT_H

#include "cluster/cluster.h"
#include "schema/type.h"

/* An entry of labels or annotations. */
typedef struct chainsi_object_entry {
    const char *key, *value;
} chainsi_object_entry;
typedef struct chainsi_object_map {
    chainsi_object_entry *items;
    size_t count;
} chainsi_object_map;

/* metadata. NULL and 0 where it isn't said. */
typedef struct chainsi_object_metadata {
    const char *name, *name_space, *uid, *resource_version;
    const char *created, *deleted; /* creationTimestamp; deletionTimestamp: it is going */
    int64_t generation;
    const chainsi_object_map *labels, *annotations;
} chainsi_object_metadata;

/* Items of a list have neither version nor kind. */
typedef struct chainsi_object {
    const char *api_version, *kind;
    chainsi_object_metadata metadata;
} chainsi_object;

/* For tables of one's own: the field "metadata" of an object, and maps of texts. */
extern const chainsi_type chainsi_object_metadata_type, chainsi_object_map_type;

/* Reads an object's JSON; what it says lives in arena. False: it is none. */
bool chainsi_object_read(const char *json, size_t size, chainsi_arena *arena,
                         chainsi_object *object);
/* Reads version, kind and metadata of a manifest, which may be YAML. False with why. */
bool chainsi_object_read_manifest(const char *text, size_t size, chainsi_arena *arena,
                                  chainsi_object *object, char *why, size_t why_size);
/* The value; NULL: there is none. */
const char *chainsi_object_label(const chainsi_object *object, const char *key);
const char *chainsi_object_annotation(const chainsi_object *object, const char *key);

/* A path, in arena: ("apps/v1", "deployments", "ns", "x", "scale") is "/apis/apps/v1/namespaces/ns/deployments/x/scale";
 * api "v1" is the core's. name_space NULL: of no namespace; name, sub NULL: up to there. What they say is escaped. */
char *chainsi_cluster_path(chainsi_arena *arena, const char *api, const char *resource,
                           const char *name_space, const char *name, const char *sub);
/* Text as part of a path or as a value in a query. */
char *chainsi_cluster_escape(chainsi_arena *arena, const char *text);

/* The path of an object by its version, kind and metadata; without a namespace of its own it is in the given one, where its
 * kind has namespaces. Kinds are known by name, others are taken for namespaced, with the usual plural. */
char *chainsi_object_path(chainsi_arena *arena, const chainsi_object *object,
                          const char *name_space);

/* Server-side apply of one manifest, JSON or YAML, by the field manager "chains", which takes over what others have set.
 * answer->body is the object then. query: more of it ("dryRun=All"), or NULL. As chainsi_cluster_ask; INVALID_ARGUMENT with answer->why
 * for what is no manifest. */
chains_status chainsi_cluster_apply(chainsi_cluster *cluster, const char *text, size_t size,
                                    const char *query, double patience_s,
                                    chainsi_cluster_answer *answer);

#endif
