/* Connections of clients. Invariants:
 *  - handles live on the heap by themselves; their data points to the connection until it closes,
 *    then to nothing, and so callbacks that come late find nobody;
 *  - a connection closes only from the loop's own callbacks, never inside a call that whoever
 *    answers makes: what fails there is noticed by the next callback;
 *  - the next request is looked at when the last answer has been sent. */
#include "control/exchange.h"

#include <assert.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/handle.h"
#include "rpc/frame.h"
#include "runtime/context.h"
#include "runtime/error.h"
#include "runtime/status.h"

typedef enum connection_state {
    STATE_HEAD,
    STATE_BODY,
    STATE_RUNNING,
    STATE_FLUSHING,
    STATE_LINGERING,
} connection_state;

typedef struct connection {
    chainsi_front *front;
    struct connection *previous, *next; /* in front->connections */
    uv_stream_t *stream;                /* owned */
    uv_timer_t *timer;                  /* owned */
    connection_state state;
    chainsi_exchange exchange;
    chainsi_buffer in; /* came in and wasn't used yet */
    chainsi_http_scan scan;
    chainsi_buffer held; /* the head of an answer, to go out with the body's first bytes */
    chainsi_buffer body; /* of the request, decoded */
    size_t body_left;    /* still to come, where the length is known */
    chainsi_http_chunked chunked;
    bool reading, keep_alive, chunked_answer, head_only;
    bool advancing;    /* in advance() */
    bool broken;       /* a write failed */
    size_t writes;     /* not yet taken by the kernel */
    size_t stalled_at; /* of the write queue, when the timer was set */
    size_t lingered;
} connection;

struct chainsi_front {
    uv_loop_t *loop; /* not owned */
    chainsi_front_options options;
    uv_tcp_t *listener; /* owned; NULL when not listening */
    connection *connections;
    size_t connection_count;
    bool stopping, finishing, finished;
    uv_timer_t *timer; /* owned; while finishing */
};

typedef struct pending_write {
    uv_write_t request;
    char data[];
} pending_write;

static void advance(connection *c);

static void tell_finished(chainsi_front *front)
{
    if (!front->finishing || front->finished || front->connections)
        return;
    front->finished = true;
    if (front->timer)
        chainsi_handle_close(front->timer);
    front->timer = NULL;
    front->options.on_finished(front->options.user);
}

static void close_connection(connection *c)
{
    chainsi_front *front = c->front;
    if (c->state == STATE_RUNNING && c->exchange.on_gone)
        c->exchange.on_gone(&c->exchange);
    chainsi_handle_close(c->stream);
    chainsi_handle_close(c->timer);
    if (c->previous)
        c->previous->next = c->next;
    else
        front->connections = c->next;
    if (c->next)
        c->next->previous = c->previous;
    front->connection_count--;
    chainsi_arena_done(&c->exchange.arena);
    chainsi_buffer_done(&c->in);
    chainsi_buffer_done(&c->held);
    chainsi_buffer_done(&c->body);
    free(c);
    tell_finished(front);
}

static void on_timer(uv_timer_t *timer)
{
    connection *c = timer->data;
    if (!c)
        return;
    if (c->writes && !c->broken && c->stream->write_queue_size < c->stalled_at) {
        c->stalled_at = c->stream->write_queue_size;
        uv_timer_start(timer, on_timer, CHAINSI_STALL_TIMEOUT_MS, 0);
        return;
    }
    close_connection(c);
}

static void limit_time(connection *c, uint64_t ms)
{
    c->stalled_at = c->stream->write_queue_size;
    uv_timer_start(c->timer, on_timer, ms, 0);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)status;
    free(request);
}

/* Says that nothing more comes, and reads what the client is still sending, so that it gets to read
 * the answer. */
static void linger(connection *c)
{
    c->state = STATE_LINGERING;
    uv_shutdown_t *request = chainsi_make(sizeof *request);
    if (uv_shutdown(request, c->stream, on_shutdown) != 0)
        free(request);
    limit_time(c, CHAINSI_LINGER_MS);
}

static void on_written(uv_write_t *request, int status)
{
    connection *c = request->handle->data;
    free(request);
    if (!c)
        return;
    c->writes--;
    if (status < 0 || c->broken) {
        close_connection(c);
        return;
    }
    if (c->writes)
        return;
    if (c->state == STATE_RUNNING) {
        uv_timer_stop(c->timer);
        if (c->exchange.on_drained)
            c->exchange.on_drained(&c->exchange);
    } else if (c->state == STATE_FLUSHING) {
        if (!c->advancing)
            advance(c);
    }
}

static void send_bytes(connection *c, const void *data, size_t size)
{
    pending_write *pending = malloc(sizeof *pending + size);
    if (!pending)
        abort();
    memcpy(pending->data, data, size);
    uv_buf_t buffer = uv_buf_init(pending->data, (unsigned)size);
    if (uv_write(&pending->request, c->stream, &buffer, 1, on_written) != 0) {
        free(pending);
        c->broken = true;
        limit_time(c, 0);
        return;
    }
    if (!c->writes++)
        limit_time(c, CHAINSI_STALL_TIMEOUT_MS);
}

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    connection *c = handle->data;
    *buffer = uv_buf_init((char *)chainsi_buffer_reserve(&c->in, 16 * 1024), 16 * 1024);
}

/* Whether what has come in are frames, which somebody here answers; then everything was done. */
static bool take_frames(connection *c)
{
    const chainsi_front_options *options = &c->front->options;
    if (!options->on_frames || c->state != STATE_HEAD || !c->in.size ||
        c->in.data[0] != CHAINSI_FRAME_PREFACE[0])
        return false;
    chainsi_buffer answer = { 0 };
    if (options->on_frames(options->user, (const char *)c->in.data, c->in.size, &answer)) {
        c->in.size = 0;
        if (answer.size)
            send_bytes(c, answer.data, answer.size);
        linger(c);
    }
    chainsi_buffer_done(&answer);
    return true;
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    (void)buffer;
    connection *c = stream->data;
    if (!c || size == 0)
        return;
    if (size < 0) {
        close_connection(c);
        return;
    }
    if (c->state == STATE_LINGERING) {
        c->lingered += (size_t)size;
        if (c->lingered > CHAINSI_LINGER_BYTES)
            close_connection(c);
        return;
    }
    c->in.size += (size_t)size;
    if (c->state == STATE_RUNNING || c->state == STATE_FLUSHING) {
        if (c->in.size > CHAINSI_READ_AHEAD) {
            uv_read_stop(stream);
            c->reading = false;
        }
        return;
    }
    if (c->state == STATE_BODY)
        limit_time(c, CHAINSI_STALL_TIMEOUT_MS);
    else if (c->in.size == (size_t)size)
        limit_time(c, CHAINSI_REQUEST_TIMEOUT_MS);
    if (!take_frames(c))
        advance(c);
}

/* An id that a client gave is kept if it can go into headers and logs as it is. */
static void choose_request_id(chainsi_exchange *exchange)
{
    const chainsi_slice *given = chainsi_http_find(&exchange->request.head, "X-Request-Id");
    bool good = given && given->size > 0 && given->size <= CHAINSI_REQUEST_ID;
    for (size_t i = 0; good && i < given->size; i++)
        good = given->data[i] > ' ' && given->data[i] < 0x7f;
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
    c->state = STATE_RUNNING;
    c->keep_alive = false;
    c->in.size = 0;
    if (!c->exchange.request_id[0])
        chainsi_random_hex(c->exchange.request_id, 32);
    chains_status status = refusal->status == 413   ? CHAINS_RESOURCE_EXHAUSTED
                           : refusal->status == 501 ? CHAINS_UNIMPLEMENTED
                                                    : CHAINS_INVALID_ARGUMENT;
    chainsi_exchange_refuse(&c->exchange, refusal->status, NULL, status, "%s", refusal->reason);
}

static void refuse_size(connection *c, size_t limit)
{
    char reason[96];
    snprintf(reason, sizeof reason, "the body is larger than the %zu bytes that are allowed",
             limit);
    refuse_input(c, &(chainsi_http_refusal){ .status = 413, .reason = reason });
}

/* False: the state is such that bytes have to come first, or the request was refused. */
static bool read_head(connection *c)
{
    chainsi_exchange *exchange = &c->exchange;
    chainsi_http_refusal refusal;
    ptrdiff_t size = chainsi_http_parse_request((const char *)c->in.data, c->in.size, &c->scan,
                                                &exchange->request, &refusal);
    if (size == CHAINSI_HTTP_MORE)
        return false;
    if (size == CHAINSI_HTTP_REFUSED) {
        refuse_input(c, &refusal);
        return false;
    }
    /* The head moves to memory that stays where it is. */
    char *head = chainsi_arena_copy(&exchange->arena, c->in.data, (size_t)size);
    chainsi_http_scan again = { 0 };
    if (chainsi_http_parse_request(head, (size_t)size, &again, &exchange->request, &refusal) !=
        size)
        abort();
    memmove(c->in.data, c->in.data + size, c->in.size - (size_t)size);
    c->in.size -= (size_t)size;
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
    c->state = STATE_BODY;
    bool awaits_body = c->body_left > c->in.size || exchange->request.head.chunked;
    if (awaits_body && exchange->request.expect_continue) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        send_bytes(c, go_on, sizeof go_on - 1);
    }
    return true;
}

/* Takes what came of the body. True when it is complete. */
static bool read_body(connection *c)
{
    if (!c->exchange.request.head.chunked) {
        size_t part = c->in.size < c->body_left ? c->in.size : c->body_left;
        chainsi_buffer_add(&c->body, c->in.data, part);
        memmove(c->in.data, c->in.data + part, c->in.size - part);
        c->in.size -= part;
        c->body_left -= part;
        return !c->body_left;
    }
    size_t decoded = 0, consumed = 0;
    chainsi_http_refusal refusal;
    chainsi_http_progress progress = chainsi_http_decode_chunked(
        &c->chunked, (char *)c->in.data, c->in.size, &decoded, &consumed, &refusal);
    if (progress == CHAINSI_HTTP_BODY_REFUSED) {
        if (refusal.status == 413)
            refuse_size(c, c->chunked.max_body);
        else
            refuse_input(c, &refusal);
        return false;
    }
    chainsi_buffer_add(&c->body, c->in.data, decoded);
    memmove(c->in.data, c->in.data + consumed, c->in.size - consumed);
    c->in.size -= consumed;
    return progress == CHAINSI_HTTP_BODY_DONE;
}

static void forget_request(connection *c)
{
    chainsi_arena_reset(&c->exchange.arena);
    c->exchange.on_gone = NULL;
    c->exchange.on_drained = NULL;
    c->exchange.user = NULL;
    c->exchange.request_id[0] = 0;
    c->exchange.request.head.minor_version = 1;
    c->head_only = false;
    if (c->body.capacity > CHAINSI_WRITE_AHEAD) {
        chainsi_buffer_done(&c->body);
        c->body = (chainsi_buffer){ 0 };
    }
    c->body.size = 0;
}

static void resume_reading(connection *c)
{
    if (c->reading)
        return;
    c->reading = uv_read_start(c->stream, allocate, on_read) == 0;
}

/* Goes as far as what came in allows. The only place where states follow each other, but for
 * answers' ends. */
static void advance(connection *c)
{
    c->advancing = true;
    for (bool more = true; more;) {
        switch (c->state) {
        case STATE_HEAD:
            more = c->in.size && read_head(c);
            more = more || c->state == STATE_FLUSHING;
            break;
        case STATE_BODY:
            more = read_body(c);
            if (more) {
                c->state = STATE_RUNNING;
                *chainsi_buffer_reserve(&c->body, 1) = 0;
                c->exchange.body = (char *)c->body.data;
                c->exchange.body_size = c->body.size;
                if (!c->writes)
                    uv_timer_stop(c->timer);
                c->front->options.on_request(c->front->options.user, &c->exchange);
            }
            more = more || c->state == STATE_FLUSHING;
            break;
        case STATE_FLUSHING:
            more = !c->writes;
            if (more) {
                forget_request(c);
                c->state = STATE_HEAD;
                if (!c->keep_alive || c->front->stopping) {
                    resume_reading(c);
                    linger(c);
                } else {
                    resume_reading(c);
                    limit_time(c,
                               c->in.size ? CHAINSI_REQUEST_TIMEOUT_MS : CHAINSI_IDLE_TIMEOUT_MS);
                }
            }
            break;
        case STATE_RUNNING:
        case STATE_LINGERING:
            more = false;
            break;
        }
    }
    c->advancing = false;
}

static void accept_connection(chainsi_front *front, uv_stream_t *listener, uv_stream_t *stream)
{
    connection *c = chainsi_make(sizeof *c);
    c->front = front;
    c->stream = stream;
    c->stream->data = c;
    c->timer = chainsi_timer_new(front->loop, c);
    c->exchange.connection = c;
    c->next = front->connections;
    if (c->next)
        c->next->previous = c;
    front->connections = c;
    front->connection_count++;
    if (uv_accept(listener, c->stream) != 0 || front->connection_count > CHAINSI_MAX_CONNECTIONS) {
        close_connection(c);
        return;
    }
    if (stream->type == UV_TCP)
        uv_tcp_nodelay((uv_tcp_t *)stream, 1);
    limit_time(c, CHAINSI_IDLE_TIMEOUT_MS);
    resume_reading(c);
}

static void on_tcp_connection(uv_stream_t *listener, int status)
{
    chainsi_front *front = listener->data;
    if (status < 0 || !front)
        return;
    uv_tcp_t *tcp = chainsi_make(sizeof *tcp);
    uv_tcp_init(front->loop, tcp);
    accept_connection(front, listener, (uv_stream_t *)tcp);
}

static void on_unix_connection(uv_stream_t *listener, int status)
{
    chainsi_front *front = listener->data;
    if (status < 0 || !front)
        return;
    uv_pipe_t *pipe = chainsi_make(sizeof *pipe);
    uv_pipe_init(front->loop, pipe, 0);
    accept_connection(front, listener, (uv_stream_t *)pipe);
}

chainsi_front *chainsi_front_new(uv_loop_t *loop, const chainsi_front_options *options)
{
    chainsi_front *front = chainsi_make(sizeof *front);
    front->loop = loop;
    front->options = *options;
    return front;
}

int chainsi_front_open(chainsi_front *front, int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return uv_translate_sys_error(errno);
    uv_tcp_t *listener = chainsi_make(sizeof *listener);
    uv_tcp_init(front->loop, listener);
    listener->data = front;
    int error = uv_tcp_open(listener, copy);
    if (error)
        close(copy);
    else
        error = uv_listen((uv_stream_t *)listener, CHAINSI_BACKLOG, on_tcp_connection);
    if (error)
        chainsi_handle_close(listener);
    else
        front->listener = listener;
    return error;
}

uv_pipe_t *chainsi_front_listen_unix(chainsi_front *front, int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return NULL;
    uv_pipe_t *listener = chainsi_make(sizeof *listener);
    uv_pipe_init(front->loop, listener, 0);
    listener->data = front;
    if (uv_pipe_open(listener, copy) != 0)
        close(copy);
    else if (uv_listen((uv_stream_t *)listener, CHAINSI_BACKLOG, on_unix_connection) == 0)
        return listener;
    chainsi_handle_close(listener);
    return NULL;
}

void chainsi_front_close_listener(uv_pipe_t *listener)
{
    if (listener)
        chainsi_handle_close(listener);
}

void chainsi_front_stop(chainsi_front *front)
{
    front->stopping = true;
    if (front->listener)
        chainsi_handle_close(front->listener);
    front->listener = NULL;
    for (connection *c = front->connections, *next; c; c = next) {
        next = c->next;
        if (c->state == STATE_HEAD && !c->in.size)
            close_connection(c);
    }
}

static void on_finish_time(uv_timer_t *timer)
{
    chainsi_front *front = timer->data;
    if (!front)
        return;
    for (connection *c = front->connections, *next; c; c = next) {
        next = c->next;
        close_connection(c);
    }
}

void chainsi_front_finish(chainsi_front *front)
{
    front->finishing = true;
    front->timer = chainsi_timer_new(front->loop, front);
    uv_timer_start(front->timer, on_finish_time, 1000, 0);
    for (connection *c = front->connections, *next; c; c = next) {
        next = c->next;
        if (c->state != STATE_FLUSHING && c->state != STATE_LINGERING)
            close_connection(c);
    }
    tell_finished(front);
}

void chainsi_front_free(chainsi_front *front)
{
    if (!front)
        return;
    assert(!front->connections);
    if (front->listener)
        chainsi_handle_close(front->listener);
    free(front);
}

/* Answers. */

static void end_answer(connection *c)
{
    c->state = STATE_FLUSHING;
    if (!c->advancing && !c->writes)
        advance(c);
}

/* Writes the head of an answer into c->held. */
static void make_head(connection *c, int status, const chainsi_buffer *headers,
                      int64_t content_length)
{
    chainsi_buffer *out = &c->held;
    out->size = 0;
    chainsi_buffer_printf(out, "HTTP/1.1 %d %s\r\n", status, chainsi_http_reason(status));
    chainsi_buffer_printf(out, "X-Request-Id: %s\r\n", c->exchange.request_id);
    if (headers)
        chainsi_buffer_add(out, headers->data, headers->size);
    if (c->front->stopping)
        c->keep_alive = false;
    c->chunked_answer = false;
    if (content_length >= 0) {
        chainsi_buffer_printf(out, "Content-Length: %lld\r\n", (long long)content_length);
    } else if (c->exchange.request.head.minor_version >= 1) {
        c->chunked_answer = true;
        chainsi_buffer_add_text(out, "Transfer-Encoding: chunked\r\n");
    } else {
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
    if (!c->held.size) {
        send_bytes(c, data, size);
        return;
    }
    chainsi_buffer_add(&c->held, data, size);
    send_bytes(c, c->held.data, c->held.size);
    if (c->held.capacity > CHAINSI_WRITE_AHEAD) {
        chainsi_buffer_done(&c->held);
        c->held = (chainsi_buffer){ 0 };
    }
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
    end_answer(c);
}

static void answer_error(chainsi_exchange *exchange, int http_status, const char *headers,
                         chains_status status, const char *format, va_list arguments)
{
    char *message = NULL;
    if (vasprintf(&message, format, arguments) < 0)
        abort();
    chainsi_buffer body = { 0 }, lines = { 0 };
    chainsi_error_encode(&(chains_error){ .status = status, .message = message },
                         exchange->request_id, false, &body);
    if (headers)
        chainsi_buffer_add_text(&lines, headers);
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
        if (c->chunked_answer) {
            chainsi_buffer out = { 0 };
            chainsi_buffer_printf(&out, "%zx\r\n", size);
            chainsi_buffer_add(&out, data, size);
            chainsi_buffer_add_text(&out, "\r\n");
            send_bytes(c, out.data, out.size);
            chainsi_buffer_done(&out);
        } else {
            send_held(c, data, size);
        }
    }
    return c->stream->write_queue_size < CHAINSI_WRITE_AHEAD;
}

void chainsi_exchange_end(chainsi_exchange *exchange)
{
    connection *c = exchange->connection;
    if (c->chunked_answer && !c->head_only)
        send_bytes(c, "0\r\n\r\n", 5);
    else if (c->held.size)
        send_held(c, NULL, 0);
    end_answer(c);
}

void chainsi_exchange_abort(chainsi_exchange *exchange)
{
    connection *c = exchange->connection;
    exchange->on_gone = NULL;
    c->broken = true;
    limit_time(c, 0);
}
