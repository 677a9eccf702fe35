/* Streams out of a service.
 *
 * Invariants: a part is encoded whole before anything of it is sent; after a failure nothing is sent
 * but an error, and that only while the connection stands. */
#include "runtime/outlet.h"

#include <stdio.h>
#include <string.h>

#include "rpc/accept.h"
#include "runtime/answer.h"
#include "runtime/error.h"
#include "runtime/progress.h"
#include "runtime/stream.h"
#include "runtime/traffic.h"
#include "schema/json.h"
#include "schema/msgpack.h"
#include "schema/value.h"

enum { LENGTH_BYTES = 4 };

chainsi_outlet_form chainsi_outlet_choose(const chainsi_http_head *head)
{
    /* What is gathered comes last, for clients that have no wish. */
    static const char *const types[] = { CHAINSI_STREAM_TYPE, "text/event-stream",
                                         "application/x-ndjson", "application/msgpack",
                                         "application/json" };
    switch (chainsi_accept_choose(head, types, sizeof types / sizeof *types)) {
    case 0:
        return CHAINSI_OUTLET_DELIMITED;
    case 1:
        return CHAINSI_OUTLET_EVENTS;
    case 2:
        return CHAINSI_OUTLET_LINES;
    default:
        return CHAINSI_OUTLET_GATHERED;
    }
}

static const char *content_type(chainsi_outlet_form form)
{
    switch (form) {
    case CHAINSI_OUTLET_DELIMITED:
        return CHAINSI_STREAM_TYPE;
    case CHAINSI_OUTLET_EVENTS:
        return "text/event-stream";
    case CHAINSI_OUTLET_LINES:
        return "application/x-ndjson";
    default:
        return NULL; /* the handler's */
    }
}

/* ------------------------------------------------------------------------------------------------
 * parts */

/* What stands in front of a value of this kind: "item", "result" or "error". */
static void open_part(chainsi_outlet *outlet, const char *kind)
{
    chainsi_buffer *buffer = outlet->buffer;
    buffer->size = 0;
    size_t size = strlen(kind);
    switch (outlet->form) {
    case CHAINSI_OUTLET_DELIMITED:
        chainsi_buffer_add(buffer, (const char[LENGTH_BYTES]){ 0 }, LENGTH_BYTES);
        chainsi_buffer_add_byte(buffer, 0x81);
        chainsi_buffer_add_byte(buffer, (uint8_t)(0xa0 | size));
        chainsi_buffer_add(buffer, kind, size);
        break;
    case CHAINSI_OUTLET_ITEMS:
        chainsi_buffer_add(buffer, &(chainsi_frame_head){ 0 }, sizeof(chainsi_frame_head));
        break;
    case CHAINSI_OUTLET_EVENTS:
        chainsi_buffer_add_text(buffer, "event: ");
        chainsi_buffer_add(buffer, kind, size);
        chainsi_buffer_add_text(buffer, "\ndata: ");
        break;
    default:
        chainsi_buffer_add_text(buffer, "{\"");
        chainsi_buffer_add(buffer, kind, size);
        chainsi_buffer_add_text(buffer, "\":");
    }
}

static void close_part(chainsi_outlet *outlet)
{
    chainsi_buffer *buffer = outlet->buffer;
    switch (outlet->form) {
    case CHAINSI_OUTLET_DELIMITED: {
        size_t size = buffer->size - LENGTH_BYTES;
        for (int i = 0; i < LENGTH_BYTES; i++)
            buffer->data[i] = (uint8_t)(size >> (24 - 8 * i));
        break;
    }
    case CHAINSI_OUTLET_ITEMS: {
        const chainsi_frame_head head = {
            .kind = CHAINSI_FRAME_ITEM,
            .attachments = (uint8_t)outlet->attachments.count,
            .id = outlet->parts.request->frame->head.id,
            .body_size = buffer->size - sizeof head,
        };
        memcpy(buffer->data, &head, sizeof head);
        break;
    }
    case CHAINSI_OUTLET_EVENTS:
        chainsi_buffer_add_text(buffer, "\n\n");
        break;
    default:
        chainsi_buffer_add_text(buffer, "}\n");
    }
}

/* Whether large values go beside an item. */
static bool may_attach(chainsi_outlet *outlet)
{
    if (outlet->form != CHAINSI_OUTLET_ITEMS)
        return false;
    if (outlet->afloat > CHAINSI_MAX_AFLOAT && chainsi_parts_are_taken(&outlet->parts))
        outlet->afloat = 0;
    return outlet->afloat <= CHAINSI_MAX_AFLOAT;
}

static chains_status encode(chainsi_outlet *outlet, const chainsi_type *type, const void *value,
                            chainsi_codec_error *why)
{
    if (may_attach(outlet))
        return chainsi_msgpack_encode_shared(type, value, outlet->buffer, &outlet->attachments,
                                             why);
    return outlet->msgpack ? chainsi_msgpack_encode(type, value, outlet->buffer, why)
                           : chainsi_json_encode(type, value, outlet->buffer, why);
}

static chainsi_parts_end send_item(chainsi_outlet *outlet, int64_t deadline_ns)
{
    chainsi_attachments *attachments = &outlet->attachments;
    const chainsi_buffer *buffer = outlet->buffer;
    int descriptors[CHAINSI_MAX_ATTACHMENTS];
    unsigned count = chainsi_attachments_descriptors(attachments, descriptors);
    chainsi_parts_end end = chainsi_parts_send_item(&outlet->parts, buffer->data, buffer->size,
                                                    descriptors, (int)count, deadline_ns);
    outlet->afloat += attachments->shared + attachments->copied;
    chainsi_traffic_sent(buffer->size - sizeof(chainsi_frame_head), attachments);
    chainsi_attachments_done(attachments);
    return end;
}

/* Sends what the buffer holds. CHAINS_OK, or why nothing more can be sent. */
static chains_status send_part(chainsi_outlet *outlet, bool last)
{
    const bool in_frames = outlet->form == CHAINSI_OUTLET_ITEMS;
    if (in_frames) {
        outlet->response->parts = &outlet->parts;
    } else if (!outlet->response->parts) {
        outlet->response->parts = &outlet->parts;
        outlet->response->status = 200;
        outlet->response->content_type = content_type(outlet->form);
        /* Proxies are asked to pass parts on as they come. */
        chainsi_buffer_add_text(outlet->response->headers,
                                "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n");
    }
    /* A reader that is slow is no standstill of this service. */
    chainsi_progress *progress = outlet->ctx->process->progress;
    if (progress)
        chainsi_progress_leave(progress);
    int64_t deadline_ns = last ? chainsi_now_ns() + CHAINSI_SEND_TIMEOUT_MS * CHAINSI_NS_PER_MS
                               : outlet->ctx->deadline_ns;
    chainsi_parts_end end = in_frames ? send_item(outlet, deadline_ns)
                                      : chainsi_parts_send(&outlet->parts, outlet->buffer->data,
                                                           outlet->buffer->size, last, deadline_ns);
    if (progress)
        chainsi_progress_return(progress, chainsi_now_ns());
    return end == CHAINSI_PARTS_SENT       ? CHAINS_OK
           : end == CHAINSI_PARTS_DEADLINE ? CHAINS_DEADLINE_EXCEEDED
                                           : CHAINS_CANCELLED;
}

/* ------------------------------------------------------------------------------------------------
 * items */

static chains_status add_gathered(chainsi_outlet *outlet, const void *item,
                                  chainsi_codec_error *why)
{
    if (outlet->items && !outlet->msgpack)
        chainsi_buffer_add_byte(outlet->buffer, ',');
    chains_status status = encode(outlet, outlet->interface->stream_item, item, why);
    if (status == CHAINS_OK && outlet->buffer->size > CHAINSI_MAX_GATHERED) {
        snprintf(why->message, sizeof why->message,
                 "the stream is larger than the %d MiB that are gathered into one answer: accept "
                 "text/event-stream or application/x-ndjson",
                 CHAINSI_MAX_GATHERED / (1024 * 1024));
        why->path[0] = 0;
        return CHAINS_RESOURCE_EXHAUSTED;
    }
    return status;
}

static chains_status deliver(chainsi_stream *stream, const void *item)
{
    chainsi_outlet *outlet = stream->user;
    const chainsi_type *type = outlet->interface->stream_item;
    pthread_mutex_lock(&outlet->lock);
    chains_status status = outlet->failed;
    if (status == CHAINS_OK)
        status = chainsi_context_stopped_lately(outlet->ctx);
    if (status == CHAINS_OK) {
        chainsi_codec_error *why = &outlet->wrong;
        bool gathered = outlet->form == CHAINSI_OUTLET_GATHERED;
        status = chainsi_value_check(type, item, why);
        if (status == CHAINS_OK && gathered) {
            status = add_gathered(outlet, item, why);
        } else if (status == CHAINS_OK) {
            open_part(outlet, "item");
            status = encode(outlet, type, item, why);
        }
        if (status == CHAINS_INVALID_ARGUMENT) {
            chainsi_stream_place(outlet->interface, outlet->items, why);
            status = CHAINS_INTERNAL;
        } else if (status == CHAINS_OK && !gathered) {
            close_part(outlet);
            status = send_part(outlet, false);
        }
        if (!outlet->items++)
            outlet->first_ns = chainsi_now_ns();
    }
    bool first_failure = status != CHAINS_OK && outlet->failed == CHAINS_OK;
    outlet->failed = status;
    pthread_mutex_unlock(&outlet->lock);
    if (first_failure)
        chainsi_context_cancel(outlet->ctx);
    return status;
}

/* ------------------------------------------------------------------------------------------------
 * the whole */

void chainsi_outlet_init(chainsi_outlet *outlet, chains_ctx *ctx,
                         const chainsi_interface *interface, chainsi_outlet_form form, bool msgpack,
                         const chainsi_server_request *request, chainsi_server_response *response)
{
    *outlet = (chainsi_outlet){
        .stream = { .deliver = deliver, .user = outlet },
        .ctx = ctx,
        .interface = interface,
        .form = form,
        .msgpack = form == CHAINSI_OUTLET_DELIMITED || form == CHAINSI_OUTLET_ITEMS ||
                   (form == CHAINSI_OUTLET_GATHERED && msgpack),
        .response = response,
        .buffer = response->body,
    };
    pthread_mutex_init(&outlet->lock, NULL);
    chainsi_parts_init(&outlet->parts, request, response, 0);
}

chains_status chainsi_outlet_settle(chainsi_outlet *outlet, chains_status status)
{
    const chainsi_interface *interface = outlet->interface;
    chains_ctx *ctx = outlet->ctx;
    switch (outlet->failed) {
    case CHAINS_OK:
        return status == CHAINS_OK ? status : chainsi_error_settle(ctx, status, interface);
    case CHAINS_INTERNAL:
        return chainsi_error_answer(ctx, interface, &outlet->wrong);
    case CHAINS_RESOURCE_EXHAUSTED:
        return chainsi_error_at_declaration(ctx, interface, CHAINS_RESOURCE_EXHAUSTED, NULL, "%s",
                                            outlet->wrong.message);
    case CHAINS_DEADLINE_EXCEEDED:
        return chainsi_error_at_declaration(ctx, interface, CHAINS_DEADLINE_EXCEEDED, NULL,
                                            "the deadline passed in the middle of the stream");
    default:
        return chainsi_error_at_declaration(ctx, interface, CHAINS_CANCELLED, NULL,
                                            outlet->parts.end == CHAINSI_PARTS_STALLED
                                                ? "the caller has stopped reading the stream"
                                                : "the caller left in the middle of the stream");
    }
}

/* The gathered answer: the items, which the buffer holds, go between the names. */
static chains_status finish_gathered(chainsi_outlet *outlet, const void *output)
{
    const chainsi_interface *interface = outlet->interface;
    chainsi_buffer items = *outlet->buffer;
    *outlet->buffer = (chainsi_buffer){ 0 };
    chainsi_codec_error why;
    chains_status status = chainsi_answer_gather(interface, &items, outlet->items, output,
                                                 outlet->msgpack, outlet->buffer, &why);
    chainsi_buffer_done(&items);
    return status == CHAINS_OK ? status : chainsi_error_answer(outlet->ctx, interface, &why);
}

chains_status chainsi_outlet_finish(chainsi_outlet *outlet, const void *output)
{
    if (outlet->form == CHAINSI_OUTLET_GATHERED)
        return finish_gathered(outlet, output);
    chainsi_codec_error why;
    open_part(outlet, "result");
    if (encode(outlet, outlet->interface->output, output, &why) != CHAINS_OK)
        return chainsi_error_answer(outlet->ctx, outlet->interface, &why);
    close_part(outlet);
    outlet->failed = send_part(outlet, true);
    return outlet->failed == CHAINS_OK ? CHAINS_OK : chainsi_outlet_settle(outlet, CHAINS_OK);
}

bool chainsi_outlet_has_begun(const chainsi_outlet *outlet)
{
    return outlet->parts.begun;
}

void chainsi_outlet_fail(chainsi_outlet *outlet)
{
    if (outlet->parts.end != CHAINSI_PARTS_SENT || outlet->parts.whole)
        return;
    chainsi_buffer error = { 0 };
    chainsi_error_encode(&outlet->ctx->error, outlet->ctx->request_id, outlet->msgpack, &error);
    open_part(outlet, "error");
    /* It is an object with the one key "error" already. */
    static const size_t key_json = sizeof "{\"error\":" - 1, key_msgpack = 7;
    if (outlet->msgpack)
        chainsi_buffer_add(outlet->buffer, error.data + key_msgpack, error.size - key_msgpack);
    else
        chainsi_buffer_add(outlet->buffer, error.data + key_json, error.size - key_json - 1);
    close_part(outlet);
    chainsi_buffer_done(&error);
    send_part(outlet, true);
}

void chainsi_outlet_done(chainsi_outlet *outlet)
{
    pthread_mutex_destroy(&outlet->lock);
}
