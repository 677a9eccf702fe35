/* A file on a web server, of which only the bytes that are asked for are downloaded. */
#pragma once
#include <chains.h>

typedef struct range_source range_source;

/* Prepares libcurl. Call once from each Chainlet's _new; more often does no harm. */
void range_source_prepare(void);

/* Opens the file at url with a first request for its beginning, which also gives its size. *opened
 * is the caller's, to be closed by range_source_close before ctx ends. Every transfer of it ends
 * early when ctx is cancelled. Blocks.
 *   size   what the size must be, or -1 for any: ABORTED if it has changed
 * Fails with INVALID_ARGUMENT (no http URL, an empty file), NOT_FOUND, PERMISSION_DENIED,
 * FAILED_PRECONDITION (the server ignores ranges, or doesn't tell the size), UNAVAILABLE (not
 * reached, or a failure of the server's), DEADLINE_EXCEEDED, CANCELLED. */
chains_status range_source_open(chains_ctx *ctx, const char *url, int64_t size,
                                range_source **opened);
/* NULL is ignored. */
void range_source_close(range_source *source);

/* Bytes in all; above 0. */
int64_t range_source_size(const range_source *source);
/* The failure of the first read that failed, recorded on ctx; CHAINS_OK if none did. After a
 * failure every read fails. */
chains_status range_source_status(const range_source *source);

/* Says what will be read next, so that it can be asked for in one request: about `ahead` bytes from
 * the next miss on, and nothing at or past `end` that isn't read itself. Without a plan, and when
 * it is used up, requests grow from small to large. */
void range_source_plan(range_source *source, int64_t ahead, int64_t end);

/* Reads up to size bytes at offset into buffer, at least one unless offset is at or past the end.
 * Returns how many; 0 at the end; -1 on failure. Blocks when they aren't here yet. */
int64_t range_source_read(range_source *source, int64_t offset, void *buffer, size_t size);
