#include "runtime/inlet.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/memory.h"
#include "runtime/outlet.h"
#include "runtime/traffic.h"
#include "schema/json.h"
#include "schema/msgpack.h"
#include "schema/value.h"

enum { MOST_FOREIGN = 500 }; /* bytes of a foreign error that are quoted */

/* CLOSED -> OPEN -> RESULT | ERROR | STOPPED; anything -> BROKEN. */
static void set_state(chainsi_inlet *inlet, chainsi_inlet_state state)
{
    assert(inlet->state <= CHAINSI_INLET_OPEN || state == CHAINSI_INLET_BROKEN);
    inlet->state = state;
}

static void break_off(chainsi_inlet *inlet, const char *what, const chainsi_codec_error *why)
{
    const chainsi_interface *interface = inlet->intake->interface;
    chainsi_error_set(inlet->intake->ctx, CHAINS_INTERNAL, interface->name, "run_remote", NULL,
                      "the stream of %s can't be read: %s%s%s%s", interface->name, what,
                      why ? why->path : "", why && *why->path ? ": " : "", why ? why->message : "");
    set_state(inlet, CHAINSI_INLET_BROKEN);
}

static chains_status decode(const chainsi_inlet *inlet, const chainsi_type *type, char *data,
                            size_t size, chainsi_arena *arena, void *value,
                            chainsi_codec_error *why)
{
    return inlet->msgpack ? chainsi_msgpack_decode_in_place(type, data, size, arena, value, why)
                          : chainsi_json_decode_in_place(type, data, size, arena, value, why);
}

/* attachments: NULL, or what came beside it. */
static void take_item(chainsi_inlet *inlet, char *data, size_t size,
                      chainsi_attachments *attachments)
{
    chainsi_intake *intake = inlet->intake;
    const chainsi_type *type = intake->interface->stream_item;
    void *item = NULL;
    if (intake->listens) {
        chainsi_codec_error why;
        item = chainsi_arena_alloc_raw(&inlet->item, type->size);
        chains_status status = attachments
                                   ? chainsi_msgpack_decode_shared(type, data, size, attachments,
                                                                   &inlet->item, item, &why)
                                   : decode(inlet, type, data, size, &inlet->item, item, &why);
        if (status != CHAINS_OK) {
            chainsi_stream_place(intake->interface, intake->items, &why);
            break_off(inlet, "", &why);
            return;
        }
    }
    if (chainsi_intake_deliver(intake, item) != CHAINS_OK)
        set_state(inlet, CHAINSI_INLET_STOPPED);
    inlet->sink.deadline_ns = inlet->frame_sink.deadline_ns = intake->due_ns;
    chainsi_arena_reset(&inlet->item);
}

static void take_result(chainsi_inlet *inlet, const char *data, size_t size)
{
    chains_ctx *ctx = inlet->intake->ctx;
    const chainsi_type *type = inlet->intake->interface->output;
    char *copy = chainsi_memory_raw(ctx, size + 1); /* the outputs point into it */
    memcpy(copy, data, size);
    copy[size] = 0;
    chainsi_codec_error why;
    if (decode(inlet, type, copy, size, ctx->arena, inlet->output, &why) == CHAINS_OK)
        set_state(inlet, CHAINSI_INLET_RESULT);
    else
        break_off(inlet, "its result: ", &why);
}

/* The end of a foreign stream that has no result. */
static bool take_defaults(chainsi_inlet *inlet)
{
    if (!chainsi_value_defaults(inlet->intake->interface->output, inlet->output))
        return false;
    set_state(inlet, CHAINSI_INLET_RESULT);
    return true;
}

/* body: {"error": {…}} as a whole. */
static void take_error(chainsi_inlet *inlet, const char *body, size_t size)
{
    const chainsi_interface *interface = inlet->intake->interface;
    chains_ctx *ctx = inlet->intake->ctx;
    chains_error error;
    if (chainsi_error_decode(body, size, inlet->msgpack, ctx->arena, &error))
        chainsi_error_pass(ctx, &error);
    else
        chainsi_error_set(ctx, CHAINS_UNKNOWN, interface->name, "run_remote", NULL,
                          "%s ended its stream with an error: %.*s", interface->name,
                          inlet->msgpack ? 0 : (int)(size < MOST_FOREIGN ? size : MOST_FOREIGN),
                          body);
    set_state(inlet, CHAINSI_INLET_ERROR);
}

static void take_frame(chainsi_inlet *inlet, const chainsi_split_part *part)
{
    if (part->size > 6 && !memcmp(part->data, "\x81\xa4item", 6))
        take_item(inlet, part->data + 6, part->size - 6, NULL);
    else if (part->size > 8 && !memcmp(part->data, "\x81\xa6result", 8))
        take_result(inlet, part->data + 8, part->size - 8);
    else if (part->size > 7 && !memcmp(part->data,
                                       "\x81\xa5"
                                       "error",
                                       7))
        take_error(inlet, part->data, part->size);
    else
        break_off(inlet, "a part is neither item nor result nor error", NULL);
}

static void take_event(chainsi_inlet *inlet, const chainsi_split_part *part)
{
    if (!strcmp(part->name, "error")) {
        chainsi_buffer body = { 0 };
        chainsi_buffer_add_text(&body, "{\"error\":");
        chainsi_buffer_add(&body, part->data, part->size);
        chainsi_buffer_add_byte(&body, '}');
        take_error(inlet, (char *)body.data, body.size);
        chainsi_buffer_done(&body);
    } else if (!strcmp(part->name, "result")) {
        take_result(inlet, part->data, part->size);
    } else if (part->size == 6 && !memcmp(part->data, "[DONE]", 6)) {
        if (!take_defaults(inlet))
            break_off(inlet,
                      "it ended without a result, and there are outputs that have no default",
                      NULL);
    } else {
        take_item(inlet, part->data, part->size, NULL);
    }
}

/* Where the value begins in `{"key": value}`; 0: the line doesn't begin with that key. */
static size_t find_value(const chainsi_split_part *part, const char *key)
{
    size_t at = 0, size = part->size, length = strlen(key);
    const char *text = part->data;
#define SKIP()                                                                                     \
    while (at < size && (text[at] == ' ' || text[at] == '\t'))                                     \
    at++
    SKIP();
    if (at == size || text[at++] != '{')
        return 0;
    SKIP();
    if (size - at < length + 2 || text[at] != '"' || memcmp(text + at + 1, key, length) ||
        text[at + 1 + length] != '"')
        return 0;
    at += length + 2;
    SKIP();
    return at < size && text[at] == ':' ? at + 1 : 0;
#undef SKIP
}

static void take_line(chainsi_inlet *inlet, const chainsi_split_part *part)
{
    size_t end = part->size; /* of the value: in front of the last brace */
    while (end && part->data[end - 1] != '}')
        end--;
    size_t value;
    if ((value = find_value(part, "item")) && value < end)
        take_item(inlet, part->data + value, end - 1 - value, NULL);
    else if ((value = find_value(part, "result")) && value < end)
        take_result(inlet, part->data + value, end - 1 - value);
    else if (find_value(part, "error"))
        take_error(inlet, part->data, part->size);
    else
        take_item(inlet, part->data, part->size, NULL);
}

static void take_part(chainsi_inlet *inlet, const chainsi_split_part *part)
{
    if (inlet->state != CHAINSI_INLET_OPEN) {
        if (!inlet->intake->interface->external)
            break_off(inlet, "something comes behind its end", NULL);
        return;
    }
    switch (inlet->splitter.kind) {
    case CHAINSI_SPLIT_FRAMES:
        take_frame(inlet, part);
        break;
    case CHAINSI_SPLIT_EVENTS:
        take_event(inlet, part);
        break;
    default:
        take_line(inlet, part);
    }
}

static bool begin(void *user, const chainsi_http_response *head)
{
    chainsi_inlet *inlet = user;
    const chainsi_slice *type = chainsi_http_find(&head->head, "Content-Type");
    if (head->status < 200 || head->status > 299)
        return false;
    chainsi_splitter_kind kind;
    if (!inlet->intake->interface->external) {
        if (!chainsi_http_is_type(type, CHAINSI_STREAM_TYPE))
            return false;
        kind = CHAINSI_SPLIT_FRAMES;
    } else if (chainsi_http_is_type(type, "text/event-stream")) {
        kind = CHAINSI_SPLIT_EVENTS;
    } else if (chainsi_http_is_type(type, "application/x-ndjson") ||
               chainsi_http_is_type(type, "application/jsonl") ||
               chainsi_http_is_type(type, "application/ndjson")) {
        kind = CHAINSI_SPLIT_LINES;
    } else {
        return false;
    }
    inlet->msgpack = kind == CHAINSI_SPLIT_FRAMES;
    inlet->delimited = head->head.chunked || head->head.content_length >= 0;
    chainsi_splitter_init(&inlet->splitter, kind, CHAINSI_MAX_PART);
    set_state(inlet, CHAINSI_INLET_OPEN);
    return true;
}

/* Whether more is wanted. The caller is asked here, too: nothing else asks while one item comes upon
 * the other. */
static bool goes_on(const chainsi_inlet *inlet)
{
    return inlet->state != CHAINSI_INLET_STOPPED && inlet->state != CHAINSI_INLET_BROKEN &&
           chainsi_context_stopped_lately(inlet->intake->ctx) == CHAINS_OK;
}

static bool take(void *user, char *data, size_t size)
{
    chainsi_inlet *inlet = user;
    chainsi_split_part part;
    chainsi_splitter_add(&inlet->splitter, data, size);
    for (;;) {
        switch (chainsi_splitter_next(&inlet->splitter, &part)) {
        case CHAINSI_SPLIT_MORE:
            return true;
        case CHAINSI_SPLIT_REFUSED:
            break_off(inlet, "a part is larger than is allowed", NULL);
            return false;
        default:
            take_part(inlet, &part);
            if (!goes_on(inlet))
                return false;
        }
    }
}

/* An item in frames, with what came beside it, which is taken. */
static void take_shared_item(chainsi_inlet *inlet, char *item, size_t size, const int *descriptors,
                             int count)
{
    const uint64_t may_name = size < CHAINSI_MAX_PART ? CHAINSI_MAX_PART - size : 0;
    chainsi_attachments attachments;
    const char *refusal;
    if (!chainsi_attachments_receive(&attachments, descriptors, (unsigned)count, may_name,
                                     &refusal)) {
        break_off(inlet, refusal, NULL);
        return;
    }
    take_item(inlet, item, size, &attachments);
    chainsi_traffic_received(size, may_name - attachments.may_name);
    chainsi_attachments_done(&attachments);
}

static bool take_framed(void *user, char *item, size_t size, const int *descriptors, int count)
{
    chainsi_inlet *inlet = user;
    if (inlet->state == CHAINSI_INLET_CLOSED) {
        inlet->msgpack = true;
        set_state(inlet, CHAINSI_INLET_OPEN);
    }
    if (count) {
        take_shared_item(inlet, item, size, descriptors, count);
    } else {
        chainsi_traffic_received(size, 0);
        take_item(inlet, item, size, NULL);
    }
    return goes_on(inlet);
}

void chainsi_inlet_init(chainsi_inlet *inlet, chainsi_intake *intake, void *output)
{
    *inlet = (chainsi_inlet){
        .sink = { .begin = begin, .take = take, .user = inlet, .deadline_ns = CHAINSI_NEVER },
        .frame_sink = { .take = take_framed, .user = inlet, .deadline_ns = CHAINSI_NEVER },
        .intake = intake,
        .output = output,
    };
}

void chainsi_inlet_done(chainsi_inlet *inlet)
{
    chainsi_splitter_done(&inlet->splitter);
    chainsi_arena_done(&inlet->item);
}

/* The body's end has come while items were expected. */
static void end_body(chainsi_inlet *inlet)
{
    chainsi_split_part part;
    if (chainsi_splitter_finish(&inlet->splitter, &part) == CHAINSI_SPLIT_PART)
        take_part(inlet, &part);
    if (inlet->state == CHAINSI_INLET_OPEN && inlet->intake->interface->external &&
        inlet->delimited)
        take_defaults(inlet);
}

bool chainsi_inlet_settle(chainsi_inlet *inlet, chainsi_exchange_end end, chains_status *status,
                          bool *lost)
{
    chainsi_intake *intake = inlet->intake;
    const chainsi_interface *interface = intake->interface;
    if (inlet->state == CHAINSI_INLET_OPEN && end == CHAINSI_EXCHANGE_ANSWERED)
        end_body(inlet);
    *lost = false;
    switch (inlet->state) {
    case CHAINSI_INLET_CLOSED:
        return false;
    case CHAINSI_INLET_RESULT:
        *status = CHAINS_OK;
        return true;
    case CHAINSI_INLET_STOPPED:
        *status = chainsi_intake_fail(intake);
        return true;
    case CHAINSI_INLET_ERROR:
    case CHAINSI_INLET_BROKEN:
        *status = intake->ctx->error.status;
        return true;
    case CHAINSI_INLET_OPEN:
        break;
    }
    if (end == CHAINSI_EXCHANGE_DEADLINE && chainsi_now_ns() >= inlet->sink.deadline_ns) {
        *status = chainsi_intake_fail_late(intake);
        return true;
    }
    if (end != CHAINSI_EXCHANGE_ANSWERED)
        return false;
    *lost = true;
    *status = chainsi_error_set(
        intake->ctx, CHAINS_UNAVAILABLE, interface->name, "run_remote", NULL,
        "%s was lost in the middle of its stream: it ended without a result", interface->name);
    return true;
}
