/* The documents of an OCI image, as C structs and the tables that the JSON codec walks.
 *
 * What is written has no null in it (some readers refuse one), so that what differs in what it has is a struct of
 * its own. What is read from others has `optional` and defaults, and ignores the rest. */
#ifndef CHAINSI_IMAGE_OCI_H
#define CHAINSI_IMAGE_OCI_H

#include "schema/type.h"

#define CHAINSI_OCI_MANIFEST   "application/vnd.oci.image.manifest.v1+json"
#define CHAINSI_OCI_INDEX      "application/vnd.oci.image.index.v1+json"
#define CHAINSI_OCI_CONFIG     "application/vnd.oci.image.config.v1+json"
#define CHAINSI_OCI_LAYER_ZSTD "application/vnd.oci.image.layer.v1.tar+zstd"
#define CHAINSI_OCI_LAYER_GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define CHAINSI_OCI_EMPTY      "application/vnd.oci.empty.v1+json"
#define CHAINSI_SPDX           "application/spdx+json"

/* Names of annotations. */
#define CHAINSI_OCI_REF_NAME "org.opencontainers.image.ref.name"

enum { CHAINSI_OCI_DIGEST = 7 + 64 + 1 }; /* "sha256:", hex digits and a NUL */

typedef struct chainsi_oci_texts {
    const char **items;
    size_t count;
} chainsi_oci_texts;

typedef struct chainsi_oci_pair {
    const char *key, *value;
} chainsi_oci_pair;

typedef struct chainsi_oci_pairs {
    chainsi_oci_pair *items;
    size_t count;
} chainsi_oci_pairs;

/* Something of an image that is named by its digest. */
typedef struct chainsi_oci_descriptor {
    const char *media_type;
    const char *digest; /* "sha256:…" */
    int64_t size;       /* bytes */
} chainsi_oci_descriptor;

typedef struct chainsi_oci_descriptors {
    chainsi_oci_descriptor *items;
    size_t count;
} chainsi_oci_descriptors;

typedef struct chainsi_oci_manifest {
    int64_t schema_version;
    const char *media_type;
    chainsi_oci_descriptor config;
    chainsi_oci_descriptors layers;
    chainsi_oci_pairs annotations;
} chainsi_oci_manifest;

/* What is said about an image, which it has as its subject. */
typedef struct chainsi_oci_artifact {
    int64_t schema_version;
    const char *media_type, *artifact_type;
    chainsi_oci_descriptor config;
    chainsi_oci_descriptors layers;
    chainsi_oci_descriptor subject;
    chainsi_oci_pairs annotations;
} chainsi_oci_artifact;

typedef struct chainsi_oci_platform {
    const char *architecture, *os;
} chainsi_oci_platform;

/* An entry of an index. */
typedef struct chainsi_oci_listed {
    const char *media_type, *digest;
    int64_t size;
    const char *artifact_type;      /* NULL: left out */
    chainsi_oci_platform *platform; /* read only; NULL: none is said */
    chainsi_oci_pairs annotations;
} chainsi_oci_listed;

typedef struct chainsi_oci_index {
    int64_t schema_version;
    const char *media_type; /* read: NULL where it isn't said */
    struct chainsi_oci_listing {
        chainsi_oci_listed *items;
        size_t count;
    } manifests;
} chainsi_oci_index;

/* How the program of an image is started. */
typedef struct chainsi_oci_start {
    const char *user, *working_dir; /* NULL read: not said */
    chainsi_oci_texts env, entrypoint, cmd;
    struct chainsi_oci_ports {
        struct chainsi_oci_port {
            const char *key;
            chains_json value;
        } * items;
        size_t count;
    } exposed_ports;
    chainsi_oci_pairs labels;
} chainsi_oci_start;

typedef struct chainsi_oci_step {
    const char *created, *created_by;
} chainsi_oci_step;

typedef struct chainsi_oci_config {
    const char *created, *architecture, *os;
    chainsi_oci_start config;
    struct chainsi_oci_rootfs {
        const char *type;
        chainsi_oci_texts diff_ids;
    } rootfs;
    struct chainsi_oci_history {
        chainsi_oci_step *items;
        size_t count;
    } history;
} chainsi_oci_config;

extern const chainsi_type chainsi_type_oci_manifest, chainsi_type_oci_artifact,
    chainsi_type_oci_index, chainsi_type_oci_config;
/* What is read of others' documents: a manifest, an index (they are told apart by what they have), a config. */
extern const chainsi_type chainsi_type_oci_read_manifest, chainsi_type_oci_read_index,
    chainsi_type_oci_read_config;

#endif
