/* Writing pieces of JSON into room that is known to suffice: what encoding and writing by hand
 * share. */
#ifndef CHAINSI_SCHEMA_JSON_WRITE_H
#define CHAINSI_SCHEMA_JSON_WRITE_H

#include <stddef.h>
#include <stdint.h>

/* Writes the inside of a string for size bytes of valid UTF-8, up to 6 * size bytes. Returns the
 * end. */
uint8_t *chainsi_json_write_escaped(uint8_t *out, const char *text, size_t size);

/* Writes valid JSON without the space between its parts, at most size bytes. Returns the end. */
uint8_t *chainsi_json_compact(uint8_t *out, const char *text, size_t size);

#endif
