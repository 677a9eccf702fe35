/* Where images are that were made and pushed: what is given to manifests in a file. */
#ifndef CHAINSI_KUBERNETES_IMAGE_MAP_H
#define CHAINSI_KUBERNETES_IMAGE_MAP_H

#include "schema/codec.h"

typedef struct chainsi_image_entry {
    const char *key;   /* a Chainlet's name on the wire */
    const char *value; /* a digest ("sha256:…"), or a whole reference */
} chainsi_image_entry;

typedef struct chainsi_image_map {
    chainsi_image_entry *items;
    size_t count;
} chainsi_image_map;

/* Reads JSON: an object of such values by names, or a list of images that were made, {"name", "digest",
 * "reference"} each: of an image with a reference its place and its digest are taken. In arena. False with the reason, and
 * *map untouched. */
bool chainsi_image_map_read(const char *text, size_t size, chainsi_arena *arena,
                            chainsi_image_map *map, chainsi_codec_error *why);

#endif
