/* Metadata by tables; paths by rule. */
#include "cluster/object.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cluster/yaml_json.h"
#include "schema/fields.h"
#include "schema/json.h"

const chainsi_type chainsi_object_map_type = { .kind = CHAINSI_MAP,
                                               .size = sizeof(chainsi_object_map),
                                               .item = &chainsi_type_string,
                                               .entry_size = sizeof(chainsi_object_entry),
                                               .value_offset =
                                                   offsetof(chainsi_object_entry, value) };
static const chainsi_type map_pointer_type = CHAINSI_POINTER_TO(&chainsi_object_map_type);

/* What tables of objects begin with, and what all of their metadata have. */
#define OBJECT_FIELDS(metadata_type_)                                                              \
    CHAINSI_FIELD_NAMED(chainsi_object, api_version, "apiVersion"),                                \
        CHAINSI_FIELD_NAMED(chainsi_object, kind, "kind"),                                         \
        CHAINSI_FIELD_OF(chainsi_object, metadata, metadata_type_)
#define METADATA_FIELDS                                                                            \
    CHAINSI_FIELD_NAMED(chainsi_object_metadata, name, "name"),                                    \
        CHAINSI_FIELD_NAMED(chainsi_object_metadata, name_space, "namespace"),                     \
        CHAINSI_FIELD_OPTIONAL(chainsi_object_metadata, labels, &map_pointer_type),                \
        CHAINSI_FIELD_OPTIONAL(chainsi_object_metadata, annotations, &map_pointer_type)

static const int64_t no_generation = 0;
static const chainsi_field metadata_fields[] = {
    METADATA_FIELDS,
    CHAINSI_FIELD_NAMED(chainsi_object_metadata, uid, "uid"),
    CHAINSI_FIELD_NAMED(chainsi_object_metadata, resource_version, "resourceVersion"),
    CHAINSI_FIELD_NAMED(chainsi_object_metadata, created, "creationTimestamp"),
    CHAINSI_FIELD_NAMED(chainsi_object_metadata, deleted, "deletionTimestamp"),
    { CHAINSI_FIELD(chainsi_object_metadata, generation, &chainsi_type_int64),
      .default_value = &no_generation },
};
const chainsi_type chainsi_object_metadata_type =
    CHAINSI_STRUCT_OF(chainsi_object_metadata, metadata_fields);

static const chainsi_field object_fields[] = { OBJECT_FIELDS(&chainsi_object_metadata_type) };
static const chainsi_type object_type = CHAINSI_STRUCT_OF(chainsi_object, object_fields);

/* A manifest's metadata: in YAML that was read as texts. */
static const chainsi_field manifest_metadata_fields[] = { METADATA_FIELDS };
static const chainsi_type manifest_metadata_type =
    CHAINSI_STRUCT_OF(chainsi_object_metadata, manifest_metadata_fields);
static const chainsi_field manifest_fields[] = { OBJECT_FIELDS(&manifest_metadata_type) };
static const chainsi_type manifest_type = CHAINSI_STRUCT_OF(chainsi_object, manifest_fields);

bool chainsi_object_read(const char *json, size_t size, chainsi_arena *arena,
                         chainsi_object *object)
{
    return chainsi_json_decode(&object_type, json, size, arena, object, NULL) == CHAINS_OK;
}

bool chainsi_object_read_manifest(const char *text, size_t size, chainsi_arena *arena,
                                  chainsi_object *object, char *why, size_t why_size)
{
    chainsi_buffer json = { 0 };
    char fault[256];
    chainsi_codec_error error;
    chainsi_object read = { 0 };
    bool good = chainsi_yaml_to_json(text, size, &json, fault, sizeof fault);
    if (!good) {
        snprintf(why, why_size, "a manifest is neither YAML nor JSON: %s", fault);
    } else if (chainsi_json_decode(&manifest_type, (char *)json.data, json.size, arena, &read,
                                   &error) != CHAINS_OK) {
        good = false;
        snprintf(why, why_size, "a manifest is no object: %s%s%.300s", error.path,
                 *error.path ? ": " : "", error.message);
    } else if (!read.api_version || !read.kind || !read.metadata.name) {
        good = false;
        snprintf(why, why_size, "a manifest is no object: it has no %s",
                 !read.api_version ? "apiVersion"
                 : !read.kind      ? "kind"
                                   : "metadata.name");
    }
    chainsi_buffer_done(&json);
    if (good)
        *object = read;
    return good;
}

static const char *value_of(const chainsi_object_map *map, const char *key)
{
    for (size_t i = 0; map && i < map->count; i++)
        if (!strcmp(map->items[i].key, key))
            return map->items[i].value;
    return NULL;
}

const char *chainsi_object_label(const chainsi_object *object, const char *key)
{
    return value_of(object->metadata.labels, key);
}

const char *chainsi_object_annotation(const chainsi_object *object, const char *key)
{
    return value_of(object->metadata.annotations, key);
}

/* --------------------------------------------------------------------------------------------
 * paths */

char *chainsi_cluster_escape(chainsi_arena *arena, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = chainsi_arena_alloc(arena, strlen(text) * 3 + 1), *to = out;
    for (; *text; text++) {
        unsigned char one = (unsigned char)*text;
        if (isalnum(one) || strchr("-._~", one)) {
            *to++ = (char)one;
        } else {
            *to++ = '%';
            *to++ = digits[one >> 4];
            *to++ = digits[one & 15];
        }
    }
    return out;
}

char *chainsi_cluster_path(chainsi_arena *arena, const char *api, const char *resource,
                           const char *name_space, const char *name, const char *sub)
{
    const char *prefix = strchr(api, '/') ? "/apis/" : "/api/";
    const char *place = "";
    if (name_space)
        place = chainsi_arena_printf(arena, "namespaces/%s/",
                                     chainsi_cluster_escape(arena, name_space));
    return chainsi_arena_printf(arena, "%s%s/%s%s%s%s%s%s", prefix, api, place, resource,
                                name ? "/" : "", name ? chainsi_cluster_escape(arena, name) : "",
                                sub ? "/" : "", sub ? sub : "");
}

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words && strcmp(word, *words) != 0)
        words++;
    return *words != NULL;
}

/* The resource of a kind: small letters, in the plural. */
static const char *resource_of(chainsi_arena *arena, const char *kind)
{
    char *word = chainsi_arena_strdup(arena, kind);
    size_t size = strlen(word);
    for (size_t i = 0; i < size; i++)
        word[i] = (char)tolower((unsigned char)word[i]);
    char last = size ? word[size - 1] : '\0', before = size > 1 ? word[size - 2] : '\0';
    if (!strcmp(word, "endpoints"))
        return word;
    if (last == 'y' && before && !strchr("aeiou", before))
        return chainsi_arena_printf(arena, "%.*sies", (int)size - 1, word);
    if (last == 's' || last == 'x' || (last == 'h' && (before == 'c' || before == 's')))
        return chainsi_arena_printf(arena, "%ses", word);
    return chainsi_arena_printf(arena, "%ss", word);
}

char *chainsi_object_path(chainsi_arena *arena, const chainsi_object *object,
                          const char *name_space)
{
    /* Of those that are Kubernetes' own. */
    static const char *const everywhere[] = { "Namespace",
                                              "Node",
                                              "PersistentVolume",
                                              "ClusterRole",
                                              "ClusterRoleBinding",
                                              "CustomResourceDefinition",
                                              "APIService",
                                              "StorageClass",
                                              "CSIDriver",
                                              "CSINode",
                                              "VolumeAttachment",
                                              "PriorityClass",
                                              "RuntimeClass",
                                              "IngressClass",
                                              "MutatingWebhookConfiguration",
                                              "ValidatingWebhookConfiguration",
                                              "PodSecurityPolicy",
                                              "CertificateSigningRequest",
                                              "FlowSchema",
                                              "PriorityLevelConfiguration",
                                              NULL };
    const char *place = object->metadata.name_space ? object->metadata.name_space : name_space;
    return chainsi_cluster_path(arena, object->api_version, resource_of(arena, object->kind),
                                is_one_of(object->kind, everywhere) ? NULL : place,
                                object->metadata.name, NULL);
}

chains_status chainsi_cluster_apply(chainsi_cluster *cluster, const char *text, size_t size,
                                    const char *query, double patience_s,
                                    chainsi_cluster_answer *answer)
{
    chainsi_arena arena = { 0 };
    chainsi_object object;
    chains_status status = CHAINS_INVALID_ARGUMENT;
    answer->status = 0;
    answer->body.size = 0;
    answer->reason[0] = '\0';
    if (chainsi_object_read_manifest(text, size, &arena, &object, answer->why,
                                     sizeof answer->why)) {
        const char *path =
            chainsi_object_path(&arena, &object, chainsi_cluster_name_space(cluster));
        path = chainsi_arena_printf(&arena, "%s?fieldManager=chains&force=true%s%s", path,
                                    query ? "&" : "", query ? query : "");
        status = chainsi_cluster_ask(cluster, "PATCH", path, CHAINSI_CLUSTER_APPLY, text, size,
                                     patience_s, answer);
    }
    chainsi_arena_done(&arena);
    return status;
}
