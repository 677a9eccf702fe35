/* What every decoder and the check of values have in common beyond single values: limits of fields,
 * keys of maps, the parts of tensors. */
#ifndef CHAINSI_SCHEMA_LIMITS_H
#define CHAINSI_SCHEMA_LIMITS_H

#include "schema/report.h"

/* True if the value at `value`, complete and not NULL where it is a pointer, keeps the limits. Else
 * false, reported at offset. */
bool chainsi_limits_check(chainsi_report *report, size_t offset, const chainsi_limits *limits,
                          const chainsi_type *type, const void *value);

/* The index of the first key in entries that appears before it already; count if none does. Keys are
 * at offset 0 of each entry and not NULL. Large maps are hashed with a seed of this process, in heap
 * memory. */
size_t chainsi_find_repeated_key(const void *entries, size_t count, size_t entry_size);

/* True if the tensor's parts fit, and then *data_size is the size of its data. data_size may have
 * been set to what is there: given_size is compared unless it is SIZE_MAX. */
bool chainsi_tensor_check(chainsi_report *report, size_t offset, const chains_tensor *tensor,
                          size_t given_size, size_t *data_size);

/* Tensors as structs, for the codecs: in JSON, and as msgpack-numpy has them. */
typedef struct chainsi_json_tensor {
    chains_bytes data_b64;
    chains_int64_list shape;
    chains_dtype dtype;
} chainsi_json_tensor;
typedef struct chainsi_msgpack_tensor {
    bool nd;
    chains_dtype type;
    chains_int64_list shape;
    chains_bytes data;
} chainsi_msgpack_tensor;
extern const chainsi_type chainsi_type_json_tensor, chainsi_type_msgpack_tensor;

/* What a decoder does with the fields of a struct whose keys didn't come: defaults are set, absence of
 * optional ones stays NULL. seen: a bit for each field that came. False, with the first that is required reported. */
bool chainsi_set_absent_fields(chainsi_report *report, size_t offset, const chainsi_type *type,
                               void *structure, const uint64_t *seen);

#endif
