/* The last item of a stream that can't be completed. */
#include "control/stream_end.h"

#include "runtime/error.h"

void chainsi_stream_end_init(chainsi_stream_end *stream, const chainsi_http_head *head)
{
    *stream = (chainsi_stream_end){ .last = { '\n', '\n' } };
    const chainsi_slice *type = chainsi_http_find(head, "Content-Type");
    /* Plain text can't follow what is compressed. */
    if (chainsi_http_find(head, "Content-Encoding"))
        return;
    if (chainsi_http_is_type(type, "text/event-stream"))
        stream->form = CHAINSI_STREAM_EVENTS;
    else if (chainsi_http_is_type(type, "application/x-ndjson"))
        stream->form = CHAINSI_STREAM_LINES;
}

void chainsi_stream_end_note(chainsi_stream_end *stream, const char *data, size_t size)
{
    if (!size)
        return;
    stream->last[0] = size > 1 ? data[size - 2] : stream->last[1];
    stream->last[1] = data[size - 1];
}

void chainsi_stream_end_write(const chainsi_stream_end *stream, const chains_error *error,
                              const char *request_id, chainsi_buffer *out)
{
    const bool events = stream->form == CHAINSI_STREAM_EVENTS;
    const bool line_ended = stream->last[1] == '\n';
    if (!line_ended)
        chainsi_buffer_add_byte(out, '\n');
    if (events && !(line_ended && stream->last[0] == '\n'))
        chainsi_buffer_add_byte(out, '\n');
    if (events)
        chainsi_buffer_add_text(out, "event: error\ndata: ");
    chainsi_buffer body = { 0 };
    chainsi_error_encode(error, request_id, false, &body);
    /* A line is the body as it is; an event has what stands under its one key. */
    const size_t key = events ? sizeof "{\"error\":" - 1 : 0;
    chainsi_buffer_add(out, body.data + key, body.size - key - (events ? 1 : 0));
    chainsi_buffer_done(&body);
    chainsi_buffer_add_text(out, events ? "\n\n" : "\n");
}
