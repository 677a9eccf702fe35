/* SHA-256. */
#ifndef CHAINSI_CONTROL_DIGEST_H
#define CHAINSI_CONTROL_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum {
    CHAINSI_DIGEST_SIZE = 32,                         /* bytes */
    CHAINSI_DIGEST_TEXT = 2 * CHAINSI_DIGEST_SIZE + 1 /* hex digits and a NUL */
};

void chainsi_digest(const void *data, size_t size, uint8_t digest[CHAINSI_DIGEST_SIZE]);
/* The same in small hex digits. */
void chainsi_digest_text(const void *data, size_t size, char text[CHAINSI_DIGEST_TEXT]);
/* size bytes as small hex digits, 2 * size of them and a NUL. */
void chainsi_hex(const uint8_t *data, size_t size, char *text);

#endif
