/* How a stream to a client ends that can't be completed: by an item that is an error, in the form that the
 * stream has (runtime/outlet.h makes the same). Nothing here sends. */
#ifndef CHAINSI_CONTROL_STREAM_END_H
#define CHAINSI_CONTROL_STREAM_END_H

#include <stddef.h>

#include <chains.h>

#include "base/buffer.h"
#include "rpc/http.h"

typedef enum chainsi_stream_form {
    CHAINSI_STREAM_NONE,   /* no stream whose form is known: nothing can be added to it */
    CHAINSI_STREAM_EVENTS, /* text/event-stream */
    CHAINSI_STREAM_LINES,  /* application/x-ndjson */
} chainsi_stream_form;

/* A stream as far as it went. All zero bytes: of no form. */
typedef struct chainsi_stream_end {
    chainsi_stream_form form;
    char last[2]; /* bytes of it; line ends before the first */
} chainsi_stream_end;

/* Before the first byte of the body that has this head. */
void chainsi_stream_end_init(chainsi_stream_end *stream, const chainsi_http_head *head);
/* Bytes of the body go out. */
void chainsi_stream_end_note(chainsi_stream_end *stream, const char *data, size_t size);
/* Appends the last item to out: what ends an item that was cut in its middle, and the error. The form isn't
 * CHAINSI_STREAM_NONE. */
void chainsi_stream_end_write(const chainsi_stream_end *stream, const chains_error *error,
                              const char *request_id, chainsi_buffer *out);

#endif
