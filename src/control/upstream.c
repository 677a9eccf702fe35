/* Connections to replicas.
 *
 * On a Unix socket the kernel tells whether a lost request had been read (it reports a reset when
 * the other end closed without reading all of it, and a broken pipe when it had closed before), so a
 * call that failed before any byte of the answer came is known to be not started, or not known. */
#include "control/upstream.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "control/handle.h"
#include "rpc/address.h"

enum { READ_SIZE = 64 * 1024 };

typedef struct peer peer;

static char read_buffer[READ_SIZE]; /* used within one callback at a time */

/* A connection: idle in the pool, or with one call. */
struct peer {
    chainsi_upstream *upstream;
    peer *next;                  /* of the idle ones */
    uv_pipe_t *pipe;             /* owned */
    chainsi_upstream_call *call; /* NULL: idle */
};

struct chainsi_upstream {
    uv_loop_t *loop;         /* not owned */
    chainsi_address address; /* owned */
    peer *idle;              /* owned; the most recent first */
    size_t idle_count;
    size_t references; /* the owner's, and one of each call */
    bool closed;
    chainsi_losses *losses;      /* owned; how processes ended; NULL: nobody tells */
    chainsi_upstream_call *lost; /* calls that wait for it; not owned */
};

typedef enum call_state { AWAITING_HEAD, IN_BODY } call_state;

struct chainsi_upstream_call {
    chainsi_upstream *upstream; /* referenced */
    chainsi_upstream_events events;
    void *user;
    peer *peer; /* owned; NULL: there is no connection */
    uv_timer_t
        *timer; /* owned; tells of a connection that couldn't be made, or that a lost call has
                          waited for its reason for long enough; else NULL */
    chainsi_upstream_end failure;
    char why[160];
    call_state state;
    bool writing;        /* what became of the request isn't known yet */
    int write_error;     /* 0, or libuv's */
    int read_error;      /* by which the connection ended while it was written; 0 */
    bool answer_began;   /* a byte of it came */
    chainsi_buffer head; /* of the answer, until it is complete */
    chainsi_http_scan scan;
    chainsi_http_response response;
    size_t interim;
    bool until_end; /* the body ends with the connection */
    uint64_t left;  /* of a body whose length is known */
    chainsi_http_chunked chunked;
    int64_t lost_ns; /* when it was lost; 0: it wasn't */
    chainsi_upstream_call *next_lost;
};

typedef struct pending_write {
    uv_write_t request;
    char head[];
} pending_write;

static void close_peer(peer *p)
{
    chainsi_handle_close(p->pipe);
    free(p);
}

static void release(chainsi_upstream *upstream)
{
    if (--upstream->references)
        return;
    chainsi_address_done(&upstream->address);
    free(upstream->losses);
    free(upstream);
}

chainsi_upstream *chainsi_upstream_new(uv_loop_t *loop, const char *path)
{
    chainsi_upstream *upstream = chainsi_make(sizeof *upstream);
    upstream->loop = loop;
    upstream->references = 1;
    upstream->address.kind = CHAINSI_ADDRESS_UNIX;
    upstream->address.path = strdup(path);
    if (!upstream->address.path)
        abort();
    return upstream;
}

void chainsi_upstream_free(chainsi_upstream *upstream)
{
    if (!upstream)
        return;
    upstream->closed = true;
    while (upstream->idle) {
        peer *p = upstream->idle;
        upstream->idle = p->next;
        close_peer(p);
    }
    release(upstream);
}

static void free_call(chainsi_upstream_call *call)
{
    chainsi_upstream_call **at = &call->upstream->lost;
    while (call->lost_ns && *at != call)
        at = &(*at)->next_lost;
    if (call->lost_ns)
        *at = call->next_lost;
    if (call->peer)
        close_peer(call->peer);
    if (call->timer)
        chainsi_handle_close(call->timer);
    chainsi_buffer_done(&call->head);
    release(call->upstream);
    free(call);
}

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(read_buffer, READ_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer);

static void end_call(chainsi_upstream_call *call, chainsi_upstream_end end, const char *why)
{
    peer *p = call->peer;
    bool keep = end == CHAINSI_UPSTREAM_ANSWERED && call->response.head.keep_alive &&
                !call->until_end && !call->writing && !call->write_error &&
                !p->pipe->write_queue_size && !call->upstream->closed &&
                call->upstream->idle_count < CHAINSI_MAX_IDLE;
    if (keep) {
        call->peer = NULL;
        p->call = NULL;
        uv_read_start((uv_stream_t *)p->pipe, allocate, on_read); /* it may have been paused */
        p->next = call->upstream->idle;
        call->upstream->idle = p;
        call->upstream->idle_count++;
    }
    call->events.on_end(call->user, end, why);
    free_call(call);
}

static void on_no_connection(uv_timer_t *timer);

/* What was seen of its end, and how it came about. */
static void end_explained(chainsi_upstream_call *call, const char *how, const char *more)
{
    char why[sizeof call->why + 80];
    snprintf(why, sizeof why, "%s: %s%s", call->why, how, more);
    end_call(call, CHAINSI_UPSTREAM_LOST, why);
}

/* Ends a lost call for the reason that is known by now; false: there is none. */
static bool explain(chainsi_upstream_call *call)
{
    chainsi_loss loss = chainsi_losses_find(call->upstream->losses, 0, call->lost_ns);
    char signal[32];
    if (loss == CHAINSI_LOSS_MEMORY)
        end_call(call, CHAINSI_UPSTREAM_EXHAUSTED,
                 "it exceeded its memory limit (.memory) while the call ran, and was killed");
    else if (loss == CHAINSI_LOSS_DRAINED)
        end_explained(call, "it had been told to end, and waits .drain_timeout_s for calls", "");
    else if (chainsi_loss_signal(loss, signal, sizeof signal))
        end_explained(call, "it was ended by ", signal);
    else if (loss != CHAINSI_LOSS_UNKNOWN)
        end_call(call, CHAINSI_UPSTREAM_LOST, call->why);
    return loss != CHAINSI_LOSS_UNKNOWN;
}

/* The call is lost; how its process ended may have been told already, or comes soon. */
static void end_lost(chainsi_upstream_call *call, const char *why)
{
    chainsi_upstream *upstream = call->upstream;
    if (!upstream->losses) {
        end_call(call, CHAINSI_UPSTREAM_LOST, why);
        return;
    }
    close_peer(call->peer);
    call->peer = NULL;
    call->lost_ns = chainsi_now_ns();
    call->next_lost = upstream->lost;
    upstream->lost = call;
    call->failure = CHAINSI_UPSTREAM_LOST;
    snprintf(call->why, sizeof call->why, "%s", why);
    if (explain(call))
        return;
    call->timer = chainsi_timer_new(upstream->loop, call);
    uv_timer_start(call->timer, on_no_connection, CHAINSI_LOSS_WAIT_MS, 0);
}

void chainsi_upstream_promise_losses(chainsi_upstream *upstream)
{
    if (!upstream->losses)
        upstream->losses = chainsi_make(sizeof *upstream->losses);
}

void chainsi_upstream_note_loss(chainsi_upstream *upstream, chainsi_loss loss)
{
    if (!upstream->losses)
        return;
    chainsi_losses_note(upstream->losses, 0, loss, chainsi_now_ns());
    upstream->references++; /* the calls' may be the last */
    for (chainsi_upstream_call *call = upstream->lost; call;)
        call = explain(call) ? upstream->lost : call->next_lost; /* others may have gone with it */
    release(upstream);
}

/* The connection ended before the answer did. */
static void lose_call(chainsi_upstream_call *call, int error)
{
    /* A write's failure is told after the end of what can be read, if both are found at once. Until then
     * its bytes count as queued; and a call of which a byte wasn't sent hasn't begun. */
    bool unsent = call->timer || uv_stream_get_write_queue_size((uv_stream_t *)call->peer->pipe);
    bool not_started = !call->answer_began &&
                       (unsent || error == UV_ECONNRESET || error == UV_EPIPE ||
                        call->write_error == UV_EPIPE || call->write_error == UV_ECONNRESET);
    if (not_started)
        end_call(call, CHAINSI_UPSTREAM_NOT_STARTED, "the process ended before it read the call");
    else if (call->answer_began)
        end_lost(call, "the process ended while it answered");
    else
        end_lost(call, "the process ended while the call ran");
}

/* A kept connection may have been closed just before the request was written: both are told of
 * in one turn of the loop, and the end first, which alone would mean that the call may have run. */
static void await_write(chainsi_upstream_call *call, int error)
{
    call->read_error = error;
    uv_read_stop((uv_stream_t *)call->peer->pipe);
}

static void begin_body(chainsi_upstream_call *call)
{
    const chainsi_http_response *response = &call->response;
    call->state = IN_BODY;
    if (response->status == 204 || response->status == 304)
        call->left = 0;
    else if (response->head.chunked)
        call->chunked = (chainsi_http_chunked){ .max_body = UINT64_MAX / 4 };
    else if (response->head.content_length >= 0)
        call->left = (uint64_t)response->head.content_length;
    else
        call->until_end = true;
}

/* Reads the head from what came. Returns how many of the size bytes belong to it; sets *failed. */
static size_t read_head(chainsi_upstream_call *call, const char *data, size_t size, bool *failed)
{
    size_t before = call->head.size;
    chainsi_buffer_add(&call->head, data, size);
    chainsi_http_refusal refusal;
    ptrdiff_t end = chainsi_http_parse_response((const char *)call->head.data, call->head.size,
                                                &call->scan, &call->response, &refusal);
    if (end == CHAINSI_HTTP_MORE)
        return size;
    if (end == CHAINSI_HTTP_REFUSED) {
        *failed = true;
        snprintf(call->why, sizeof call->why, "its answer is no HTTP: %s", refusal.reason);
        return size;
    }
    size_t used = (size_t)end - before;
    if (call->response.status < 200) {
        if (++call->interim > CHAINSI_MAX_INTERIM || call->response.status == 101) {
            *failed = true;
            snprintf(call->why, sizeof call->why, "its answer does not come to an end");
        }
    } else {
        begin_body(call);
        call->events.on_head(call->user, &call->response);
    }
    call->head.size = 0;
    call->scan = (chainsi_http_scan){ 0 };
    return used;
}

static bool body_is_complete(const chainsi_upstream_call *call)
{
    return call->state == IN_BODY && !call->until_end && !call->response.head.chunked &&
           !call->left;
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    peer *p = stream->data;
    if (!p || got == 0)
        return;
    chainsi_upstream_call *call = p->call;
    if (!call) {
        /* An idle connection says something: it was closed, or is of no use any more. */
        chainsi_upstream *upstream = p->upstream;
        peer **at = &upstream->idle;
        while (*at != p)
            at = &(*at)->next;
        *at = p->next;
        upstream->idle_count--;
        close_peer(p);
        return;
    }
    if (got < 0) {
        if (got == UV_EOF && call->state == IN_BODY && call->until_end)
            end_call(call, CHAINSI_UPSTREAM_ANSWERED, "");
        else if (call->writing)
            await_write(call, (int)got);
        else
            lose_call(call, (int)got);
        return;
    }
    call->answer_began = true;
    char *data = buffer->base;
    size_t size = (size_t)got;
    bool failed = false, done = false;
    while (size && call->state == AWAITING_HEAD && !failed) {
        size_t used = read_head(call, data, size, &failed);
        data += used;
        size -= used;
    }
    if (!failed && call->state == IN_BODY && size) {
        size_t decoded = size, consumed = size;
        if (call->response.head.chunked) {
            chainsi_http_refusal refusal;
            chainsi_http_progress progress = chainsi_http_decode_chunked(
                &call->chunked, data, size, &decoded, &consumed, &refusal);
            done = progress == CHAINSI_HTTP_BODY_DONE;
            if (progress == CHAINSI_HTTP_BODY_REFUSED) {
                failed = true;
                snprintf(call->why, sizeof call->why, "its answer is no HTTP: %s", refusal.reason);
            }
        } else if (!call->until_end) {
            decoded = consumed = call->left < size ? (size_t)call->left : size;
            call->left -= decoded;
        }
        if (decoded && !failed)
            call->events.on_body(call->user, data, decoded);
        if (consumed < size)
            call->response.head.keep_alive = false; /* more than was asked for */
    }
    if (failed)
        end_call(call, CHAINSI_UPSTREAM_PROTOCOL, call->why);
    else if (done || body_is_complete(call))
        end_call(call, CHAINSI_UPSTREAM_ANSWERED, "");
}

static void on_written(uv_write_t *request, int status)
{
    peer *p = request->handle->data;
    free(request);
    chainsi_upstream_call *call = p ? p->call : NULL;
    if (!call)
        return;
    /* What came of it is told by reading, which the failure of writing only explains. */
    call->writing = false;
    if (status < 0)
        call->write_error = status;
    if (call->read_error)
        lose_call(call, call->read_error);
}

static void on_no_connection(uv_timer_t *timer)
{
    chainsi_upstream_call *call = timer->data;
    if (call)
        end_call(call, call->failure, call->why);
}

/* Has the call end from the loop. */
static void fail_later(chainsi_upstream_call *call, chainsi_upstream_end end)
{
    call->failure = end;
    call->timer = chainsi_timer_new(call->upstream->loop, call);
    uv_timer_start(call->timer, on_no_connection, 0, 0);
}

static peer *connect_peer(chainsi_upstream *upstream, chainsi_upstream_call *call)
{
    int fd = chainsi_address_connect(&upstream->address, CHAINSI_NEVER, NULL, call->why,
                                     sizeof call->why);
    if (fd < 0) {
        fail_later(call,
                   errno == EAGAIN ? CHAINSI_UPSTREAM_QUEUE_FULL : CHAINSI_UPSTREAM_NOT_STARTED);
        return NULL;
    }
    peer *p = chainsi_make(sizeof *p);
    p->upstream = upstream;
    p->pipe = chainsi_make(sizeof *p->pipe);
    uv_pipe_init(upstream->loop, p->pipe, 0);
    p->pipe->data = p;
    int error = uv_pipe_open(p->pipe, fd);
    if (error)
        close(fd);
    else
        error = uv_read_start((uv_stream_t *)p->pipe, allocate, on_read);
    if (error) {
        snprintf(call->why, sizeof call->why, "cannot use a connection: %s", uv_strerror(error));
        close_peer(p);
        fail_later(call, CHAINSI_UPSTREAM_NOT_STARTED);
        return NULL;
    }
    return p;
}

/* Sends as much as the kernel takes now, and the rest from the loop. Of the head a copy is made for that. */
static void send_request(chainsi_upstream_call *call, const void *head, size_t head_size,
                         const void *body, size_t body_size)
{
    uv_stream_t *stream = (uv_stream_t *)call->peer->pipe;
    uv_buf_t buffers[2] = {
        uv_buf_init((char *)(uintptr_t)head, (unsigned)head_size),
        uv_buf_init((char *)(uintptr_t)body, (unsigned)body_size),
    };
    int result = uv_try_write(stream, buffers, body_size ? 2 : 1);
    if (result < 0 && result != UV_EAGAIN) {
        call->write_error = result; /* the end of reading may be told of before */
        snprintf(call->why, sizeof call->why, "cannot send: %s", uv_strerror(result));
        fail_later(call, CHAINSI_UPSTREAM_NOT_STARTED);
        return;
    }
    size_t sent = result > 0 ? (size_t)result : 0;
    if (sent == head_size + body_size)
        return;
    size_t head_sent = sent < head_size ? sent : head_size, head_left = head_size - head_sent;
    pending_write *pending = malloc(sizeof *pending + head_left);
    if (!pending)
        abort();
    memcpy(pending->head, (const char *)head + head_sent, head_left);
    buffers[0] = uv_buf_init(pending->head, (unsigned)head_left);
    buffers[1].base += sent - head_sent;
    buffers[1].len -= sent - head_sent;
    unsigned first = head_left ? 0 : 1, end = buffers[1].len ? 2 : 1;
    int error = uv_write(&pending->request, stream, buffers + first, end - first, on_written);
    call->writing = !error;
    if (error) {
        /* A call begins with its last byte, so this one hasn't. */
        free(pending);
        snprintf(call->why, sizeof call->why, "cannot send: %s", uv_strerror(error));
        fail_later(call, CHAINSI_UPSTREAM_NOT_STARTED);
    }
}

chainsi_upstream_call *chainsi_upstream_start(chainsi_upstream *upstream, const void *head,
                                              size_t head_size, const void *body, size_t body_size,
                                              bool fresh, const chainsi_upstream_events *events,
                                              void *user)
{
    chainsi_upstream_call *call = chainsi_make(sizeof *call);
    call->upstream = upstream;
    upstream->references++;
    call->events = *events;
    call->user = user;
    peer *p = fresh ? NULL : upstream->idle;
    if (p) {
        upstream->idle = p->next;
        upstream->idle_count--;
    } else {
        p = connect_peer(upstream, call);
        if (!p)
            return call;
    }
    p->call = call;
    call->peer = p;

    send_request(call, head, head_size, body, body_size);
    return call;
}

bool chainsi_upstream_is_unread(const chainsi_upstream_call *call)
{
    int fd, unread;
    if (!call->peer)
        return !call->lost_ns;
    if (uv_stream_get_write_queue_size((uv_stream_t *)call->peer->pipe))
        return true;
    /* Of a Unix socket it is what the other end has not read. */
    return !uv_fileno((uv_handle_t *)call->peer->pipe, &fd) && !ioctl(fd, SIOCOUTQ, &unread) &&
           unread > 0;
}

void chainsi_upstream_cancel(chainsi_upstream_call *call)
{
    free_call(call);
}

void chainsi_upstream_pause(chainsi_upstream_call *call)
{
    if (call->peer)
        uv_read_stop((uv_stream_t *)call->peer->pipe);
}

void chainsi_upstream_resume(chainsi_upstream_call *call)
{
    if (call->peer)
        uv_read_start((uv_stream_t *)call->peer->pipe, allocate, on_read);
}
