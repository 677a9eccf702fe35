/* Tables of the documents of an image. Keys are OCI's. */
#include "image/oci.h"

#include "control/fields.h"

#define KEY(struct_, key_, field_, type_)                                                          \
    {                                                                                              \
        .name = key_, .name_size = sizeof key_ - 1, .offset = offsetof(struct_, field_),           \
        .type = (type_)                                                                            \
    }
#define MAYBE(struct_, key_, field_, type_)                                                        \
    {                                                                                              \
        .name = key_, .name_size = sizeof key_ - 1, .offset = offsetof(struct_, field_),           \
        .type = (type_), .optional = true                                                          \
    }
#define EITHER(struct_, key_, field_, type_, default_)                                             \
    {                                                                                              \
        .name = key_, .name_size = sizeof key_ - 1, .offset = offsetof(struct_, field_),           \
        .type = (type_), .default_value = (default_)                                               \
    }
#define MAP_OF(struct_, entry_, item_)                                                             \
    {                                                                                              \
        .kind = CHAINSI_MAP, .size = sizeof(struct_), .item = (item_),                             \
        .entry_size = sizeof(entry_), .value_offset = offsetof(entry_, value)                      \
    }
#define TEXT &chainsi_type_string

static const chainsi_oci_texts no_texts;
static const chainsi_oci_pairs no_pairs;

static const chainsi_type texts = CHAINSI_LIST_OF(chainsi_oci_texts, TEXT);
static const chainsi_type pairs = MAP_OF(chainsi_oci_pairs, chainsi_oci_pair, TEXT);

static const chainsi_field descriptor_fields[] = {
    KEY(chainsi_oci_descriptor, "mediaType", media_type, TEXT),
    KEY(chainsi_oci_descriptor, "digest", digest, TEXT),
    KEY(chainsi_oci_descriptor, "size", size, &chainsi_type_int64),
};
static const chainsi_type descriptor = CHAINSI_STRUCT_OF(chainsi_oci_descriptor, descriptor_fields);
static const chainsi_type descriptors = CHAINSI_LIST_OF(chainsi_oci_descriptors, &descriptor);

static const chainsi_field manifest_fields[] = {
    KEY(chainsi_oci_manifest, "schemaVersion", schema_version, &chainsi_type_int64),
    KEY(chainsi_oci_manifest, "mediaType", media_type, TEXT),
    KEY(chainsi_oci_manifest, "config", config, &descriptor),
    KEY(chainsi_oci_manifest, "layers", layers, &descriptors),
    KEY(chainsi_oci_manifest, "annotations", annotations, &pairs),
};
const chainsi_type chainsi_type_oci_manifest =
    CHAINSI_STRUCT_OF(chainsi_oci_manifest, manifest_fields);

static const chainsi_field read_manifest_fields[] = {
    KEY(chainsi_oci_manifest, "schemaVersion", schema_version, &chainsi_type_int64),
    MAYBE(chainsi_oci_manifest, "mediaType", media_type, TEXT),
    KEY(chainsi_oci_manifest, "config", config, &descriptor),
    KEY(chainsi_oci_manifest, "layers", layers, &descriptors),
};
const chainsi_type chainsi_type_oci_read_manifest =
    CHAINSI_STRUCT_OF(chainsi_oci_manifest, read_manifest_fields);

static const chainsi_field artifact_fields[] = {
    KEY(chainsi_oci_artifact, "schemaVersion", schema_version, &chainsi_type_int64),
    KEY(chainsi_oci_artifact, "mediaType", media_type, TEXT),
    KEY(chainsi_oci_artifact, "artifactType", artifact_type, TEXT),
    KEY(chainsi_oci_artifact, "config", config, &descriptor),
    KEY(chainsi_oci_artifact, "layers", layers, &descriptors),
    KEY(chainsi_oci_artifact, "subject", subject, &descriptor),
    KEY(chainsi_oci_artifact, "annotations", annotations, &pairs),
};
const chainsi_type chainsi_type_oci_artifact =
    CHAINSI_STRUCT_OF(chainsi_oci_artifact, artifact_fields);

static const chainsi_field platform_fields[] = {
    KEY(chainsi_oci_platform, "architecture", architecture, TEXT),
    KEY(chainsi_oci_platform, "os", os, TEXT),
};
static const chainsi_type platform = CHAINSI_STRUCT_OF(chainsi_oci_platform, platform_fields);
static const chainsi_type platform_or_none = CHAINSI_POINTER_TO(&platform);

static const chainsi_field listed_fields[] = {
    KEY(chainsi_oci_listed, "mediaType", media_type, TEXT),
    KEY(chainsi_oci_listed, "digest", digest, TEXT),
    KEY(chainsi_oci_listed, "size", size, &chainsi_type_int64),
    KEY(chainsi_oci_listed, "artifactType", artifact_type, TEXT),
    KEY(chainsi_oci_listed, "annotations", annotations, &pairs),
};
static const chainsi_type listed = CHAINSI_STRUCT_OF(chainsi_oci_listed, listed_fields);
static const chainsi_type listing = CHAINSI_LIST_OF(struct chainsi_oci_listing, &listed);
static const chainsi_field index_fields[] = {
    KEY(chainsi_oci_index, "schemaVersion", schema_version, &chainsi_type_int64),
    KEY(chainsi_oci_index, "mediaType", media_type, TEXT),
    KEY(chainsi_oci_index, "manifests", manifests, &listing),
};
const chainsi_type chainsi_type_oci_index = CHAINSI_STRUCT_OF(chainsi_oci_index, index_fields);

static const chainsi_field read_listed_fields[] = {
    KEY(chainsi_oci_listed, "mediaType", media_type, TEXT),
    KEY(chainsi_oci_listed, "digest", digest, TEXT),
    KEY(chainsi_oci_listed, "size", size, &chainsi_type_int64),
    MAYBE(chainsi_oci_listed, "artifactType", artifact_type, TEXT),
    MAYBE(chainsi_oci_listed, "platform", platform, &platform_or_none),
    EITHER(chainsi_oci_listed, "annotations", annotations, &pairs, &no_pairs),
};
static const chainsi_type read_listed = CHAINSI_STRUCT_OF(chainsi_oci_listed, read_listed_fields);
static const chainsi_type read_listing = CHAINSI_LIST_OF(struct chainsi_oci_listing, &read_listed);
static const chainsi_field read_index_fields[] = {
    KEY(chainsi_oci_index, "schemaVersion", schema_version, &chainsi_type_int64),
    MAYBE(chainsi_oci_index, "mediaType", media_type, TEXT),
    KEY(chainsi_oci_index, "manifests", manifests, &read_listing),
};
const chainsi_type chainsi_type_oci_read_index =
    CHAINSI_STRUCT_OF(chainsi_oci_index, read_index_fields);

static const chainsi_type ports =
    MAP_OF(struct chainsi_oci_ports, struct chainsi_oci_port, &chainsi_type_json);
static const chainsi_field start_fields[] = {
    KEY(chainsi_oci_start, "User", user, TEXT),
    KEY(chainsi_oci_start, "ExposedPorts", exposed_ports, &ports),
    KEY(chainsi_oci_start, "Env", env, &texts),
    KEY(chainsi_oci_start, "Entrypoint", entrypoint, &texts),
    KEY(chainsi_oci_start, "Cmd", cmd, &texts),
    KEY(chainsi_oci_start, "WorkingDir", working_dir, TEXT),
    KEY(chainsi_oci_start, "Labels", labels, &pairs),
};
static const chainsi_type start = CHAINSI_STRUCT_OF(chainsi_oci_start, start_fields);

static const chainsi_field rootfs_fields[] = {
    KEY(struct chainsi_oci_rootfs, "type", type, TEXT),
    KEY(struct chainsi_oci_rootfs, "diff_ids", diff_ids, &texts),
};
static const chainsi_type rootfs = CHAINSI_STRUCT_OF(struct chainsi_oci_rootfs, rootfs_fields);
static const chainsi_field step_fields[] = {
    KEY(chainsi_oci_step, "created", created, TEXT),
    KEY(chainsi_oci_step, "created_by", created_by, TEXT),
};
static const chainsi_type step = CHAINSI_STRUCT_OF(chainsi_oci_step, step_fields);
static const chainsi_type history = CHAINSI_LIST_OF(struct chainsi_oci_history, &step);

static const chainsi_field config_fields[] = {
    KEY(chainsi_oci_config, "created", created, TEXT),
    KEY(chainsi_oci_config, "architecture", architecture, TEXT),
    KEY(chainsi_oci_config, "os", os, TEXT),
    KEY(chainsi_oci_config, "config", config, &start),
    KEY(chainsi_oci_config, "rootfs", rootfs, &rootfs),
    KEY(chainsi_oci_config, "history", history, &history),
};
const chainsi_type chainsi_type_oci_config = CHAINSI_STRUCT_OF(chainsi_oci_config, config_fields);

/* Of a base, its variables and its labels are kept; how it is started and who made it is not. */
static const chainsi_oci_start no_start;
static const chainsi_field read_start_fields[] = {
    EITHER(chainsi_oci_start, "Env", env, &texts, &no_texts),
    EITHER(chainsi_oci_start, "Labels", labels, &pairs, &no_pairs),
};
static const chainsi_type read_start = CHAINSI_STRUCT_OF(chainsi_oci_start, read_start_fields);
static const chainsi_field read_config_fields[] = {
    KEY(chainsi_oci_config, "architecture", architecture, TEXT),
    KEY(chainsi_oci_config, "os", os, TEXT),
    EITHER(chainsi_oci_config, "config", config, &read_start, &no_start),
    KEY(chainsi_oci_config, "rootfs", rootfs, &rootfs),
};
const chainsi_type chainsi_type_oci_read_config =
    CHAINSI_STRUCT_OF(chainsi_oci_config, read_config_fields);
