/* A hash of bytes that is the same on every machine and in every version: FNV-1a, 64 bits. Not for what somebody may want
 * to make collide. */
#ifndef CHAINSI_BASE_HASH_H
#define CHAINSI_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define CHAINSI_HASH_START UINT64_C(0xcbf29ce484222325)

/* The hash of what `hash` is the hash of, and of these bytes behind it. */
static inline uint64_t chainsi_hash_add(uint64_t hash, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const uint8_t *)data)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

#endif
