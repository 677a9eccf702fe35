/* Headers of a tar archive (POSIX ustar, with a pax header before what doesn't fit), and reading them. */
#ifndef CHAINSI_IMAGE_TAR_H
#define CHAINSI_IMAGE_TAR_H

#include "base/buffer.h"
#include "image/tree.h"

enum { CHAINSI_TAR_BLOCK = 512 };

/* Appends the header of an entry whose contents have size bytes (0 unless it is a file): owner and group 0, time 0. */
void chainsi_tar_header(chainsi_buffer *out, const chainsi_entry *entry, uint64_t size);
/* Zero bytes that fill the last block of contents of that size. */
static inline size_t chainsi_tar_padding(uint64_t size)
{
    return (size_t)((CHAINSI_TAR_BLOCK - size % CHAINSI_TAR_BLOCK) % CHAINSI_TAR_BLOCK);
}

#endif
