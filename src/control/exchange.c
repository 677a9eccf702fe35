/* Answers to requests, whole or in parts: they are written to their connection (front_connection.c), which sees to
 * the rest. */
#include "control/exchange.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/front_parts.h"
#include "runtime/error.h"
#include "runtime/status.h"

typedef chainsi_front_connection connection;

/* Writes the head of an answer into c->held. */
static void make_head(connection *c, int status, const chainsi_buffer *headers,
                      int64_t content_length)
{
    chainsi_buffer *out = &c->held;
    out->size = 0;
    c->answer_began = true;
    chainsi_buffer_add_text(out, "HTTP/1.1 ");
    chainsi_buffer_add_number(out, (uint64_t)status);
    chainsi_buffer_add_byte(out, ' ');
    chainsi_buffer_add_text(out, chainsi_http_reason(status));
    chainsi_buffer_add_text(out, "\r\nX-Request-Id: ");
    chainsi_buffer_add_text(out, c->exchange.request_id);
    chainsi_buffer_add_text(out, "\r\nX-Content-Type-Options: nosniff\r\n");
    if (headers)
        chainsi_buffer_add(out, headers->data, headers->size);
    if (c->front->stopping)
        c->keep_alive = false;
    c->chunked_answer = c->open_answer = false;
    if (content_length >= 0) {
        chainsi_buffer_add_text(out, "Content-Length: ");
        chainsi_buffer_add_number(out, (uint64_t)content_length);
        chainsi_buffer_add_text(out, "\r\n");
    } else if (c->exchange.request.head.minor_version >= 1) {
        c->chunked_answer = true;
        chainsi_buffer_add_text(out, "Transfer-Encoding: chunked\r\n");
    } else {
        c->open_answer = true;
        c->keep_alive = false;
    }
    if (!c->keep_alive)
        chainsi_buffer_add_text(out, "Connection: close\r\n");
    else if (c->exchange.request.head.minor_version == 0)
        chainsi_buffer_add_text(out, "Connection: keep-alive\r\n");
    chainsi_buffer_add_text(out, "\r\n");
}

/* Sends what is held, and the bytes behind it. */
static void send_held(connection *c, const void *data, size_t size)
{
    uv_buf_t parts[] = {
        uv_buf_init((char *)c->held.data, (unsigned)c->held.size),
        uv_buf_init((char *)(uintptr_t)data, (unsigned)size),
    };
    unsigned first = c->held.size ? 0 : 1;
    chainsi_front_send(c, parts + first, (size ? 2 : 1) - first);
    c->held.size = 0;
}

void chainsi_exchange_answer(chainsi_exchange *exchange, int status, const char *content_type,
                             const chainsi_buffer *headers, const void *body, size_t size)
{
    connection *c = exchange->connection;
    chainsi_buffer lines = { 0 };
    if (content_type)
        chainsi_buffer_printf(&lines, "Content-Type: %s\r\n", content_type);
    if (headers)
        chainsi_buffer_add(&lines, headers->data, headers->size);
    make_head(c, status, &lines, (int64_t)size);
    send_held(c, body, c->head_only ? 0 : size);
    chainsi_buffer_done(&lines);
    chainsi_front_end_answer(c);
}

/* Owned by the caller. */
static char *format_message(const char *format, va_list arguments)
{
    char *message = NULL;
    if (vasprintf(&message, format, arguments) < 0)
        abort();
    return message;
}

static void answer_error(chainsi_exchange *exchange, int http_status, const char *headers,
                         chains_status status, const char *format, va_list arguments)
{
    char *message = format_message(format, arguments);
    chainsi_buffer body = { 0 }, lines = { 0 };
    chainsi_error_encode(&(chains_error){ .status = status, .message = message },
                         exchange->request_id, false, &body);
    if (headers)
        chainsi_buffer_add_text(&lines, headers);
    chainsi_buffer_add_text(&lines, "Cache-Control: no-store\r\n");
    chainsi_exchange_answer(exchange, http_status, "application/json", &lines, body.data,
                            body.size);
    chainsi_buffer_done(&lines);
    chainsi_buffer_done(&body);
    free(message);
}

void chainsi_exchange_fail(chainsi_exchange *exchange, chains_status status, const char *format,
                           ...)
{
    va_list arguments;
    va_start(arguments, format);
    answer_error(exchange, chainsi_status_to_http(status), NULL, status, format, arguments);
    va_end(arguments);
}

void chainsi_exchange_refuse(chainsi_exchange *exchange, int http_status, const char *headers,
                             chains_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    answer_error(exchange, http_status, headers, status, format, arguments);
    va_end(arguments);
}

void chainsi_exchange_begin(chainsi_exchange *exchange, int status, const chainsi_buffer *headers,
                            int64_t content_length)
{
    connection *c = exchange->connection;
    make_head(c, status, headers, content_length);
    /* What has a length comes at once; what streams may take its time, so its head goes ahead. */
    if (content_length < 0)
        send_held(c, NULL, 0);
}

bool chainsi_exchange_write(chainsi_exchange *exchange, const void *data, size_t size)
{
    connection *c = exchange->connection;
    if (size && !c->head_only) {
        chainsi_stream_end_note(&exchange->stream, data, size);
        if (c->chunked_answer) {
            char line[24];
            int line_size = snprintf(line, sizeof line, "%zx\r\n", size);
            uv_buf_t parts[] = {
                uv_buf_init(line, (unsigned)line_size),
                uv_buf_init((char *)(uintptr_t)data, (unsigned)size),
                uv_buf_init((char *)(uintptr_t) "\r\n", 2),
            };
            chainsi_front_send(c, parts, 3);
        } else {
            send_held(c, data, size);
        }
    }
    return chainsi_wire_waiting(&c->wire) < CHAINSI_WRITE_AHEAD;
}

size_t chainsi_exchange_waiting(const chainsi_exchange *exchange)
{
    const connection *c = exchange->connection;
    return chainsi_wire_waiting(&c->wire);
}

void chainsi_exchange_end(chainsi_exchange *exchange)
{
    static const char last[] = "0\r\n\r\n";
    connection *c = exchange->connection;
    if (c->chunked_answer && !c->head_only)
        chainsi_front_send(c, &(uv_buf_t){ .base = (char *)last, .len = sizeof last - 1 }, 1);
    else if (c->held.size)
        send_held(c, NULL, 0);
    chainsi_front_end_answer(c);
}

void chainsi_exchange_abort(chainsi_exchange *exchange)
{
    connection *c = exchange->connection;
    exchange->on_gone = NULL;
    chainsi_front_give_up(c);
}

static void break_answer(chainsi_exchange *exchange, chains_status status, const char *format,
                         va_list arguments)
{
    const connection *c = exchange->connection;
    /* Nothing fits behind what has a length. */
    const bool has_room = c->chunked_answer || c->open_answer;
    if (exchange->stream.form == CHAINSI_STREAM_NONE || !has_room || c->head_only) {
        chainsi_exchange_abort(exchange);
        return;
    }
    char *message = format_message(format, arguments);
    chainsi_buffer item = { 0 };
    chainsi_stream_end_write(&exchange->stream,
                             &(chains_error){ .status = status, .message = message },
                             exchange->request_id, &item);
    chainsi_exchange_write(exchange, item.data, item.size);
    chainsi_buffer_done(&item);
    free(message);
    chainsi_exchange_end(exchange);
}

void chainsi_exchange_break(chainsi_exchange *exchange, chains_status status, const char *format,
                            ...)
{
    va_list arguments;
    va_start(arguments, format);
    break_answer(exchange, status, format, arguments);
    va_end(arguments);
}

void chainsi_exchange_cancel(chainsi_exchange *exchange, int http_status, const char *headers,
                             chains_status status, const char *format, ...)
{
    const connection *c = exchange->connection;
    if (exchange->on_gone)
        exchange->on_gone(exchange);
    exchange->on_gone = NULL;
    exchange->on_drained = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (c->answer_began)
        break_answer(exchange, status, format, arguments);
    else
        answer_error(exchange, http_status, headers, status, format, arguments);
    va_end(arguments);
}
