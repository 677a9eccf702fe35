/* An answer that a handler sends by itself, in parts, as they come: the head goes with the first
 * part, and each part is on its way when the function that was given it returns. Chunked; for an
 * HTTP/1.0 client up to the end of the connection. A part waits for a reader that is slow, so an
 * answer in parts holds no more memory than one of them. To a call in frames that takes items
 * (rpc/frame.h) a part is an ITEM frame, and the response is sent behind the last one as ever.
 *
 * Set response->parts before the first part is sent; the parts must live until the request's `after`
 * is called. In HTTP nothing else of the response is sent then. All functions are for the thread
 * that owns the request, or one thread at a time. */
#ifndef CHAINSI_RPC_PARTS_H
#define CHAINSI_RPC_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/server.h"

typedef enum chainsi_parts_end {
    CHAINSI_PARTS_SENT,
    CHAINSI_PARTS_GONE,     /* the connection has ended */
    CHAINSI_PARTS_STALLED,  /* the reader took nothing for stall_ms */
    CHAINSI_PARTS_DEADLINE, /* deadline_ns has come */
} chainsi_parts_end;

typedef struct chainsi_parts {
    const chainsi_server_request *request;
    chainsi_server_response *response; /* status, content_type and headers are read with the first
                                          part; close is set where the client needs it */
    int stall_ms;                      /* how long a reader may take nothing */
    bool begun;                        /* the head was given to the kernel, or tried to be */
    bool whole;                        /* the last part was sent; in frames the response is that */
    chainsi_parts_end end;             /* SENT until a part couldn't be: no other can then */
} chainsi_parts;

/* An answer without parts yet. stall_ms 0: CHAINSI_READER_STALL_MS. */
void chainsi_parts_init(chainsi_parts *parts, const chainsi_server_request *request,
                        chainsi_server_response *response, int stall_ms);
/* Sends one part, size bytes, at least 1 unless it is the last. Blocks while the reader is slow, but
 * not beyond deadline_ns (CHAINSI_NEVER: none). */
chainsi_parts_end chainsi_parts_send(chainsi_parts *parts, const void *data, size_t size, bool last,
                                     int64_t deadline_ns);
/* Likewise one ITEM frame, of `size` bytes with its head, and descriptors beside it, which stay the
 * caller's. */
chainsi_parts_end chainsi_parts_send_item(chainsi_parts *parts, const void *frame, size_t size,
                                          const int *fds, int fd_count, int64_t deadline_ns);
/* Whether the reader has taken all that was sent to it, descriptors included. */
bool chainsi_parts_are_taken(const chainsi_parts *parts);
/* Whether the reader has taken so much that a small answer finds room at once. */
bool chainsi_parts_have_room(const chainsi_parts *parts);

#endif
