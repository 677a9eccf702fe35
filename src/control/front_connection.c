/* A client's connection: its requests come in and its answers go out. Invariants:
 *  - a connection closes only from the loop's own callbacks, never inside a call that whoever
 *    answers makes: what fails there is noticed by the next callback;
 *  - the next request is looked at when the last answer has been sent. */
#include "control/front_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "control/handle.h"
#include "rpc/frame.h"
#include "runtime/context.h"

typedef chainsi_front_connection connection;

static void advance(connection *c);

void chainsi_front_close(connection *c)
{
    if (c->state == CHAINSI_FRONT_RUNNING && c->exchange.on_gone)
        c->exchange.on_gone(&c->exchange);
    chainsi_wire_done(&c->wire);
    chainsi_handle_close(c->timer);
    c->front->held_bodies -= c->counted_body;
    chainsi_arena_done(&c->exchange.arena);
    chainsi_buffer_done(&c->held);
    chainsi_spool_done(&c->body);
    chainsi_front_remove(c);
    free(c);
}

/* Time. */

/* Bytes that the client has moved so far: sent of its body, or taken of the answer. */
static uint64_t count_moved(const connection *c)
{
    return c->state == CHAINSI_FRONT_BODY ? c->body.size
                                          : c->wire.given - chainsi_wire_waiting(&c->wire);
}

static void on_timer(uv_timer_t *timer);

static void limit_time(connection *c, uint64_t ms)
{
    c->paced_from = count_moved(c);
    c->waiting_then = chainsi_wire_waiting(&c->wire);
    uv_timer_start(c->timer, on_timer, ms, 0);
}

static void refuse_input(connection *c, const chainsi_http_refusal *refusal);

static void refuse_slow(connection *c)
{
    refuse_input(
        c, &(chainsi_http_refusal){ .status = 408, .reason = "the request comes too slowly" });
}

static void on_timer(uv_timer_t *timer)
{
    connection *c = timer->data;
    if (!c)
        return;
    uint64_t moved = count_moved(c) - c->paced_from;
    if (c->aborted || c->wire.broken) {
        chainsi_front_close(c);
        return;
    }
    switch (c->state) {
    case CHAINSI_FRONT_GREETING:
    case CHAINSI_FRONT_LINGERING:
        chainsi_front_close(c);
        break;
    case CHAINSI_FRONT_HEAD:
        if (c->wire.in.size)
            refuse_slow(c);
        else
            chainsi_front_close(c);
        break;
    case CHAINSI_FRONT_BODY:
        if (moved >= CHAINSI_PACE_BYTES)
            limit_time(c, CHAINSI_PACE_MS);
        else
            refuse_slow(c);
        break;
    case CHAINSI_FRONT_RUNNING:
    case CHAINSI_FRONT_FLUSHING:
        if (moved >= CHAINSI_PACE_BYTES || moved >= c->waiting_then)
            limit_time(c, CHAINSI_PACE_MS);
        else
            chainsi_front_close(c);
        break;
    }
}

/* Says that nothing more comes, and reads what the client is still sending, so that it gets to read
 * the answer. */
static void linger(connection *c)
{
    c->state = CHAINSI_FRONT_LINGERING;
    chainsi_wire_end(&c->wire);
    limit_time(c, CHAINSI_LINGER_MS);
}

void chainsi_front_send(connection *c, const uv_buf_t *parts, unsigned count)
{
    chainsi_wire_send(&c->wire, parts, count);
    if (c->wire.writes && !uv_is_active((uv_handle_t *)c->timer))
        limit_time(c, CHAINSI_PACE_MS);
}

static void send_bytes(connection *c, const void *data, size_t size)
{
    uv_buf_t part = uv_buf_init((char *)(uintptr_t)data, (unsigned)size);
    chainsi_front_send(c, &part, 1);
}

/* Events of the wire. */

static void on_end(void *user)
{
    chainsi_front_close(user);
}

static void on_drained(void *user)
{
    connection *c = user;
    if (c->state == CHAINSI_FRONT_RUNNING) {
        uv_timer_stop(c->timer);
        if (c->exchange.on_drained)
            c->exchange.on_drained(&c->exchange);
    } else if (c->state == CHAINSI_FRONT_FLUSHING) {
        if (!c->advancing)
            advance(c);
    }
}

/* Whether what has come in are frames, which somebody here answers; then everything was done. */
static bool take_frames(connection *c)
{
    const chainsi_front_options *options = &c->front->options;
    chainsi_buffer *in = &c->wire.in;
    if (!options->on_frames || c->state != CHAINSI_FRONT_HEAD || !in->size ||
        in->data[0] != CHAINSI_FRAME_PREFACE[0])
        return false;
    chainsi_buffer answer = { 0 };
    if (options->on_frames(options->user, (const char *)in->data, in->size, &answer)) {
        in->size = 0;
        if (answer.size)
            send_bytes(c, answer.data, answer.size);
        linger(c);
    }
    chainsi_buffer_done(&answer);
    return true;
}

static void on_bytes(void *user)
{
    connection *c = user;
    size_t size = c->wire.in.size;
    switch (c->state) {
    case CHAINSI_FRONT_LINGERING:
        c->lingered += size;
        c->wire.in.size = 0;
        if (c->lingered > CHAINSI_LINGER_BYTES)
            chainsi_front_close(c);
        return;
    case CHAINSI_FRONT_RUNNING:
    case CHAINSI_FRONT_FLUSHING:
        if (size > CHAINSI_READ_AHEAD)
            chainsi_wire_read(&c->wire, false);
        return;
    case CHAINSI_FRONT_GREETING:
        if (c->wire.greeting)
            return;
        c->state = CHAINSI_FRONT_HEAD;
        limit_time(c, size ? CHAINSI_REQUEST_TIMEOUT_MS : CHAINSI_SILENCE_TIMEOUT_MS);
        c->head_began = size > 0;
        break;
    case CHAINSI_FRONT_HEAD:
        if (!c->head_began)
            limit_time(c, CHAINSI_REQUEST_TIMEOUT_MS);
        c->head_began = true;
        break;
    case CHAINSI_FRONT_BODY:
        break;
    }
    if (c->wire.mistaken) {
        refuse_input(
            c, &(chainsi_http_refusal){
                   .status = 400, .reason = "this port speaks TLS: the URL begins with https://" });
    } else if (!take_frames(c)) {
        advance(c);
    }
}

/* An id that a client gave is kept if it can go into headers and logs as it is. */
static void choose_request_id(chainsi_exchange *exchange)
{
    const chainsi_slice *given = chainsi_http_find(&exchange->request.head, "X-Request-Id");
    bool good = given && given->size > 0 && given->size <= CHAINSI_REQUEST_ID;
    for (size_t i = 0; good && i < given->size; i++)
        good = given->data[i] > ' ' && given->data[i] < 0x7f;
    exchange->has_given_id = good;
    if (good) {
        memcpy(exchange->request_id, given->data, given->size);
        exchange->request_id[given->size] = 0;
    } else {
        chainsi_random_hex(exchange->request_id, 32);
    }
}

/* Answers a request that can't be read further; the connection ends with it. */
static void refuse_input(connection *c, const chainsi_http_refusal *refusal)
{
    c->state = CHAINSI_FRONT_RUNNING;
    c->keep_alive = false;
    c->wire.in.size = 0;
    if (!c->exchange.request_id[0])
        chainsi_random_hex(c->exchange.request_id, 32);
    bool full = refusal->status == 413 || refusal->status == 503;
    chains_status status = full                     ? CHAINS_RESOURCE_EXHAUSTED
                           : refusal->status == 408 ? CHAINS_DEADLINE_EXCEEDED
                           : refusal->status == 501 ? CHAINS_UNIMPLEMENTED
                                                    : CHAINS_INVALID_ARGUMENT;
    chainsi_exchange_refuse(&c->exchange, refusal->status,
                            refusal->status == 503 ? "Retry-After: 1\r\n" : NULL, status, "%s",
                            refusal->reason);
}

static void refuse_size(connection *c, size_t limit)
{
    char reason[96];
    snprintf(reason, sizeof reason, "the body is larger than the %zu bytes that are allowed",
             limit);
    refuse_input(c, &(chainsi_http_refusal){ .status = 413, .reason = reason });
}

static void drop_input(connection *c, size_t size)
{
    chainsi_buffer *in = &c->wire.in;
    in->size -= size;
    if (in->size)
        memmove(in->data, in->data + size, in->size);
}

/* False: the state is such that bytes have to come first, or the request was refused. */
static bool read_head(connection *c)
{
    chainsi_exchange *exchange = &c->exchange;
    chainsi_http_refusal refusal;
    ptrdiff_t size = chainsi_http_parse_request((const char *)c->wire.in.data, c->wire.in.size,
                                                &c->scan, &exchange->request, &refusal);
    if (size == CHAINSI_HTTP_MORE)
        return false;
    if (size == CHAINSI_HTTP_REFUSED) {
        refuse_input(c, &refusal);
        return false;
    }
    /* The head moves to memory that stays where it is. */
    const char *head = chainsi_arena_copy(&exchange->arena, c->wire.in.data, (size_t)size);
    chainsi_http_move_request(&exchange->request, (const char *)c->wire.in.data, (size_t)size,
                              head);
    drop_input(c, (size_t)size);
    c->scan = (chainsi_http_scan){ 0 };

    exchange->received_ns = chainsi_now_ns();
    choose_request_id(exchange);
    c->keep_alive = exchange->request.head.keep_alive && !c->front->stopping;
    c->head_only = exchange->request.method == CHAINSI_HTTP_HEAD;
    size_t limit = c->front->options.max_body(c->front->options.user, &exchange->request);
    c->body_left = 0;
    c->chunked = (chainsi_http_chunked){ .max_body = limit };
    if (exchange->request.head.content_length > 0) {
        if ((uint64_t)exchange->request.head.content_length > limit) {
            refuse_size(c, limit);
            return false;
        }
        c->body_left = (size_t)exchange->request.head.content_length;
    }
    c->state = CHAINSI_FRONT_BODY;
    bool awaits_body = c->body_left > c->wire.in.size || exchange->request.head.chunked;
    if (awaits_body)
        limit_time(c, CHAINSI_PACE_MS);
    if (awaits_body && exchange->request.expect_continue) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        send_bytes(c, go_on, sizeof go_on - 1);
    }
    return true;
}

/* After a failure of the body's file; errno says why. */
static void refuse_unheld(connection *c)
{
    char reason[160];
    snprintf(reason, sizeof reason, "the body cannot be held: %s", strerror(errno));
    refuse_input(c, &(chainsi_http_refusal){ .status = 503, .reason = reason });
}

/* Adds the first bytes of the input to the body. False: it can't be held, or the bodies of all clients together
 * would be too large; then the request was refused. */
static bool hold_body(connection *c, size_t size)
{
    chainsi_front *front = c->front;
    size_t needed = c->body.size + size;
    if (needed > CHAINSI_KEPT_BUFFER) {
        uint64_t of_others = front->held_bodies - c->counted_body;
        if (of_others + needed > CHAINSI_MAX_HELD_BODIES) {
            refuse_input(c, &(chainsi_http_refusal){
                                .status = 503,
                                .reason = "too many large requests are coming in: try again" });
            return false;
        }
        front->held_bodies = of_others + needed;
        c->counted_body = needed;
    }
    if (chainsi_spool_add(&c->body, front->options.spool_folder, c->wire.in.data, size))
        return true;
    refuse_unheld(c);
    return false;
}

/* Takes what came of the body. True when it is complete. */
static bool read_body(connection *c)
{
    if (!c->exchange.request.head.chunked) {
        size_t part = c->wire.in.size < c->body_left ? c->wire.in.size : c->body_left;
        if (!hold_body(c, part))
            return false;
        drop_input(c, part);
        c->body_left -= part;
        return !c->body_left;
    }
    size_t decoded = 0, consumed = 0;
    chainsi_http_refusal refusal;
    chainsi_http_progress progress = chainsi_http_decode_chunked(
        &c->chunked, (char *)c->wire.in.data, c->wire.in.size, &decoded, &consumed, &refusal);
    if (progress == CHAINSI_HTTP_BODY_REFUSED) {
        if (refusal.status == 413)
            refuse_size(c, c->chunked.max_body);
        else
            refuse_input(c, &refusal);
        return false;
    }
    if (!hold_body(c, decoded))
        return false;
    drop_input(c, consumed);
    return progress == CHAINSI_HTTP_BODY_DONE;
}

/* Gives back what is more than a connection keeps. */
static void shrink(chainsi_buffer *buffer)
{
    if (!buffer->size && buffer->capacity > CHAINSI_KEPT_BUFFER)
        chainsi_buffer_done(buffer);
}

static void forget_request(connection *c)
{
    chainsi_arena_reset(&c->exchange.arena);
    c->exchange.on_gone = NULL;
    c->exchange.on_drained = NULL;
    c->exchange.user = NULL;
    c->exchange.caller = NULL;
    c->exchange.stream = (chainsi_stream_end){ 0 };
    c->exchange.request_id[0] = 0;
    c->exchange.request.head.minor_version = 1;
    c->head_only = c->answer_began = false;
    chainsi_spool_reset(&c->body);
    shrink(&c->wire.in);
    shrink(&c->held);
    c->front->held_bodies -= c->counted_body;
    c->counted_body = 0;
}

/* Goes as far as what came in allows. The only place where states follow each other, but for
 * answers' ends. */
static void advance(connection *c)
{
    c->advancing = true;
    for (bool more = true; more;) {
        switch (c->state) {
        case CHAINSI_FRONT_HEAD:
            more = c->wire.in.size && read_head(c);
            more = more || c->state == CHAINSI_FRONT_FLUSHING;
            break;
        case CHAINSI_FRONT_BODY:
            more = read_body(c);
            if (more) {
                c->exchange.body = chainsi_spool_whole(&c->body);
                c->exchange.body_size = c->body.size;
                if (!c->exchange.body) {
                    refuse_unheld(c);
                    more = c->state == CHAINSI_FRONT_FLUSHING;
                    break;
                }
                c->state = CHAINSI_FRONT_RUNNING;
                if (!c->wire.writes)
                    uv_timer_stop(c->timer);
                c->front->options.on_request(c->front->options.user, &c->exchange);
            }
            more = more || c->state == CHAINSI_FRONT_FLUSHING;
            break;
        case CHAINSI_FRONT_FLUSHING:
            more = !c->wire.writes;
            if (more) {
                forget_request(c);
                c->state = CHAINSI_FRONT_HEAD;
                c->head_began = c->wire.in.size > 0;
                if (!c->keep_alive || c->front->stopping)
                    linger(c);
                else
                    limit_time(c, c->head_began ? CHAINSI_REQUEST_TIMEOUT_MS
                                                : CHAINSI_IDLE_TIMEOUT_MS);
            }
            break;
        case CHAINSI_FRONT_GREETING:
        case CHAINSI_FRONT_RUNNING:
        case CHAINSI_FRONT_LINGERING:
            more = false;
            break;
        }
    }
    c->advancing = false;
    bool answering = c->state == CHAINSI_FRONT_RUNNING || c->state == CHAINSI_FRONT_FLUSHING;
    chainsi_wire_read(&c->wire, !answering || c->wire.in.size <= CHAINSI_READ_AHEAD);
}

void chainsi_front_begin(chainsi_front_connection *c)
{
    c->exchange.connection = c;
    c->wire.on_bytes = on_bytes;
    c->wire.on_end = on_end;
    c->wire.on_drained = on_drained;
    c->wire.user = c;
    c->timer = chainsi_timer_new(c->front->loop, c);
    if (c->wire.greeting) {
        c->state = CHAINSI_FRONT_GREETING;
        limit_time(c, CHAINSI_HANDSHAKE_TIMEOUT_MS);
    } else {
        c->state = CHAINSI_FRONT_HEAD;
        limit_time(c, CHAINSI_SILENCE_TIMEOUT_MS);
    }
    chainsi_wire_read(&c->wire, true);
}

bool chainsi_front_is_idle(const chainsi_front_connection *c)
{
    return c->state == CHAINSI_FRONT_GREETING ||
           (c->state == CHAINSI_FRONT_HEAD && !c->wire.in.size);
}

void chainsi_front_end_answer(connection *c)
{
    c->state = CHAINSI_FRONT_FLUSHING;
    if (!c->advancing && !c->wire.writes)
        advance(c);
}

void chainsi_front_give_up(connection *c)
{
    c->aborted = true;
    limit_time(c, 0);
}
