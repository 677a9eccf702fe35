/* How layers are compressed: by zstd, which makes them smaller and is unpacked faster, or by gzip, which older engines know,
 * too. The same input gives the same bytes with the same version of the library: one thread, levels that are fixed, and
 * nothing of a time or a name. */
#ifndef CHAINSI_IMAGE_COMPRESSION_H
#define CHAINSI_IMAGE_COMPRESSION_H

#include <stddef.h>
#include <stdint.h>

#include "image/problem.h"

typedef enum chainsi_compression {
    CHAINSI_COMPRESSION_ZSTD,
    CHAINSI_COMPRESSION_GZIP,
} chainsi_compression;

/* "zstd" or "gzip". False: it is another word. */
bool chainsi_compression_read(const char *text, chainsi_compression *out);
/* What layers of it are called in a manifest. */
const char *chainsi_compression_media_type(chainsi_compression compression);
/* How hard it tries with a layer of so many bytes: one that is made once may take long, one of which each build makes
 * another (often) may not, and nor may one that is large. */
int chainsi_compression_level(chainsi_compression compression, uint64_t size, bool often);
/* The library's version, on which the bytes depend as well. */
const char *chainsi_compression_version(chainsi_compression compression);

/* Takes what was compressed. False ends it. */
typedef bool (*chainsi_on_compressed)(const void *data, size_t size, void *user);

typedef struct chainsi_compressor chainsi_compressor;

chainsi_compressor *chainsi_compressor_new(chainsi_compression compression, int level,
                                           chainsi_on_compressed on_compressed, void *user);
/* False: on_compressed gave that. */
bool chainsi_compressor_add(chainsi_compressor *compressor, const void *data, size_t size);
/* Nothing is added after it. */
bool chainsi_compressor_end(chainsi_compressor *compressor);
/* NULL is allowed. */
void chainsi_compressor_free(chainsi_compressor *compressor);

/* Reads a file that is compressed by either, or by none: what its first bytes say. */
typedef struct chainsi_decompressor chainsi_decompressor;

/* NULL with errno: it can't be opened. */
chainsi_decompressor *chainsi_decompressor_open(const char *path);
/* Fills out as far as there is something; gives how much that was, below size only at the end. -1: it is damaged. */
int64_t chainsi_decompressor_read(chainsi_decompressor *decompressor, void *out, size_t size);
/* NULL is allowed. */
void chainsi_decompressor_close(chainsi_decompressor *decompressor);

#endif
