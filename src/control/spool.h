/* A request's body as it comes in: small ones in memory, large ones in a file without a name, so that many
 * slow uploads hold no memory. When it is whole it can be read like memory either way.
 *
 * Writing to the file blocks for as long as the kernel takes to have it in its cache. One thread. */
#ifndef CHAINSI_CONTROL_SPOOL_H
#define CHAINSI_CONTROL_SPOOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

/* All zero bytes are an empty one. */
typedef struct chainsi_spool {
    size_t size;           /* bytes so far */
    chainsi_buffer memory; /* owned; unless there is a file */
    bool has_file;
    int fd;       /* owned, if has_file, until the contents are mapped */
    char *mapped; /* owned; the file's contents, once asked for */
} chainsi_spool;

/* Adds bytes; those beyond CHAINSI_SPOOL_FROM have all of it move to a file below the folder (NULL: never).
 * False: errno says why the file can't be written. */
bool chainsi_spool_add(chainsi_spool *spool, const char *folder, const void *data, size_t size);
/* All of it, with a NUL behind, to be read; nothing can be added from now on. Lives until the spool is reset.
 * NULL: errno. */
const char *chainsi_spool_whole(chainsi_spool *spool);
/* Empties it; a little memory is kept. */
void chainsi_spool_reset(chainsi_spool *spool);
/* Frees what it holds. */
void chainsi_spool_done(chainsi_spool *spool);

#endif
