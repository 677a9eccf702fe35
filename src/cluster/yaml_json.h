/* YAML as JSON, for documents that are read by tables and in which every value is a text: kubeconfig, and the metadata
 * of objects. */
#ifndef CHAINSI_CLUSTER_YAML_JSON_H
#define CHAINSI_CLUSTER_YAML_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

/* What one document may become, and how deep it may be. */
#define CHAINSI_YAML_MOST_JSON ((size_t)16 << 20)
enum { CHAINSI_YAML_MOST_DEPTH = 64 };

/* Adds the first document of the text as JSON: scalars are strings, whatever they look like, but for a plain null, ~ or
 * nothing, which are null. A text without a document is {}. Aliases are written out, within the limits above. False with
 * why ("line 3: did not find expected key"); json then is as it was. */
bool chainsi_yaml_to_json(const char *text, size_t size, chainsi_buffer *json, char *why,
                          size_t why_size);

#endif
