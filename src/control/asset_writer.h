/* Writes what comes in to a place of a file, on libuv's threads: one write at a time, and what comes
 * meanwhile is gathered for the next. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_ASSET_WRITER_H
#define CHAINSI_CONTROL_ASSET_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

enum { CHAINSI_ASSET_GATHERED = 512 * 1024 /* bytes that wait for one write, at most */ };

/* Embedded in whoever writes. All zero, but for what is said, at first. */
typedef struct chainsi_asset_writer {
    uv_loop_t *loop; /* set by the owner, with the next three */
    int fd;
    /* `size` bytes were written; or error (libuv's) ended it. No write is under way any more, unless
     * more had been gathered. */
    void (*on_written)(struct chainsi_asset_writer *writer, size_t size, int error);
    int64_t at;         /* where the next write goes */
    bool busy;          /* a write is under way: the writer must not be freed or moved */
    size_t filled;      /* bytes gathered */
    uint8_t *gathering; /* owned; NULL before the first byte */
    uint8_t *writing;   /* owned */
    uv_buf_t rest;      /* of what is being written */
    uv_fs_t request;
} chainsi_asset_writer;

/* Takes all of data, or nothing if there is no room: there will be after the next on_written. */
bool chainsi_asset_writer_take(chainsi_asset_writer *writer, const void *data, size_t size);
/* Forgets what was gathered; a write that is under way ends by itself. */
void chainsi_asset_writer_drop(chainsi_asset_writer *writer);
/* Frees the buffers; it must not be busy. */
void chainsi_asset_writer_done(chainsi_asset_writer *writer);

#endif
