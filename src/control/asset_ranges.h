/* Which bytes of a partial file are there, and how that is kept for a daemon that comes after.
 *
 *   {"url": "https://host/model", "validator": "\"v1\"", "size": 40000000,
 *    "ranges": [{"start": 0, "end": 20000000, "done": 4096}, ...]}
 *
 * Pure functions. */
#ifndef CHAINSI_CONTROL_ASSET_RANGES_H
#define CHAINSI_CONTROL_ASSET_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"

enum { CHAINSI_ASSET_MOST_RANGES = 4 /* fetched at the same time */ };

/* The bytes [start, end), of which the first `done` are there. */
typedef struct chainsi_asset_range {
    int64_t start, end, done;
} chainsi_asset_range;

typedef struct chainsi_asset_range_list {
    chainsi_asset_range *items;
    size_t count;
} chainsi_asset_range_list;

/* What is known of a file that is being fetched. */
typedef struct chainsi_asset_state {
    const char *url;
    const char *validator; /* an ETag or a time, for If-Range; never "" */
    int64_t size;
    chainsi_asset_range_list ranges; /* one behind the other, from 0 to size */
} chainsi_asset_state;

/* Cuts `size` bytes into as many even ranges as make `least` bytes each, one at least and
 * CHAINSI_ASSET_MOST_RANGES at most. Returns how many. */
size_t chainsi_asset_ranges_cut(chainsi_asset_range ranges[CHAINSI_ASSET_MOST_RANGES], int64_t size,
                                int64_t least);

/* Appends the text. False if something in it isn't UTF-8. */
bool chainsi_asset_state_write(const chainsi_asset_state *state, chainsi_buffer *out);
/* Reads it into the arena. False, and *state is untouched, if it is damaged or makes no sense. */
bool chainsi_asset_state_read(const char *text, size_t size, chainsi_arena *arena,
                              chainsi_asset_state *state);

#endif
