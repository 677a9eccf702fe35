/* Base64 as RFC 4648 section 4 has it, with padding. */
#ifndef CHAINSI_SCHEMA_BASE64_H
#define CHAINSI_SCHEMA_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* The size of the text for size bytes. */
static inline size_t chainsi_base64_size(size_t size)
{
    return (size + 2) / 3 * 4;
}

/* Writes the text of size bytes, chainsi_base64_size(size) characters, no NUL. */
void chainsi_base64_write(char *out, const void *data, size_t size);

/* Reads text back into out, which has room for size / 4 * 3 bytes and may be text itself. Returns
 * the place of the first character at fault, or size if there is none; then *out_size is what was
 * written. Without padding, with other characters, or with bits behind the last byte that aren't 0 it
 * is at fault; a text that ends too early is at fault at size + 1. */
size_t chainsi_base64_read(uint8_t *out, const char *text, size_t size, size_t *out_size);

#endif
