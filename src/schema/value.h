/* Values in C memory, by their tables: checking them as a decoder would, and copying them. */
#ifndef CHAINSI_SCHEMA_VALUE_H
#define CHAINSI_SCHEMA_VALUE_H

#include "schema/codec.h"

/* CHAINS_OK if value could have come out of a decoder: limits, required pointers, enum values, UTF-8,
 * map keys that appear once, valid chains_json, tensors whose parts fit, depth. Else
 * CHAINS_INVALID_ARGUMENT with the path in *error (which may be NULL). NaN passes where no range is
 * set. Costs no memory but for large maps. */
chains_status chainsi_value_check(const chainsi_type *type, const void *value,
                                  chainsi_codec_error *error);

/* False if every value of the type passes chainsi_value_check, as plain numbers do. Fast enough to be
 * asked when a program starts, not before every call. */
bool chainsi_value_can_fail(const chainsi_type *type);

/* Copies the value at `from` to the type->size bytes at `to`, with all that it points to copied into
 * arena, NULs behind text and chains_json included. The value must have passed chainsi_value_check
 * or come out of a decoder (a deeper one ends the process). from and to may be the same. */
void chainsi_value_copy(const chainsi_type *type, const void *from, void *to, chainsi_arena *arena);

/* Sets the type->size bytes at value to zero, and if type is a STRUCT, its fields to their defaults,
 * shallow, as when a decoder finds none of its keys. False if a key without default is required. */
bool chainsi_value_defaults(const chainsi_type *type, void *value);

#endif
