/* Connections: to a Unix socket, which is there at once or not at all, and to TCP endpoints, which are made while the loop
 * goes on, with TLS where the upstream has it. Their handles live on the heap by themselves, and their data is the peer until
 * that is closed. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/handle.h"
#include "control/upstream_parts.h"

enum {
    READ_SIZE = 64 * 1024,
    PUT_SIZE = 64 * 1024, /* of a request, encrypted at a time */
    /* Of a machine that is gone nothing is heard: a connection has ended when nobody has confirmed what was sent for so
     * long, or has answered so many questions whether it is there. */
    UNCONFIRMED_MS = 20 * 1000,
    ASK_AFTER_S = 10,
    ASK_EVERY_S = 3,
    ASK_TIMES = 3,
};

static char read_buffer[READ_SIZE]; /* used within one callback at a time */

typedef struct pending_write {
    uv_write_t request;
    char data[];
} pending_write;

/* Says goodbye, without which a ticket that was given is of no use. */
static void end_session(chainsi_peer *peer)
{
    chainsi_secure_end(peer->session);
    const chainsi_buffer *out = chainsi_secure_out(peer->session);
    uv_buf_t part = uv_buf_init((char *)out->data, (unsigned)out->size);
    if (out->size)
        uv_try_write(peer->stream, &part, 1);
}

void chainsi_peer_close(chainsi_peer *peer)
{
    if (peer->session)
        end_session(peer);
    chainsi_handle_close(peer->stream);
    chainsi_handle_close(peer->limit);
    chainsi_secure_close(peer->session);
    free(peer);
}

/* Idle ones. */

void chainsi_idle_put(chainsi_idle *idle, chainsi_peer *peer)
{
    peer->call = NULL;
    peer->kept = true;
    chainsi_peer_read(peer, true); /* it may have been paused */
    peer->next = idle->first;
    idle->first = peer;
    idle->count++;
}

static void leave_idle(chainsi_peer *peer)
{
    chainsi_idle *idle = peer->member ? &peer->member->idle : &peer->upstream->idle;
    chainsi_peer **at = &idle->first;
    while (*at != peer)
        at = &(*at)->next;
    *at = peer->next;
    idle->count--;
}

/* Whether an idle connection is open, as far as the kernel knows: its end may not have been told yet. */
static bool is_open(const chainsi_peer *peer)
{
    int fd;
    char byte;
    if (!peer->member)
        return true; /* a Unix socket tells when it is written to */
    if (uv_fileno((uv_handle_t *)peer->stream, &fd))
        return false;
    ssize_t got = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    return got > 0 && peer->session; /* a ticket, or a goodbye, which is found by reading */
}

chainsi_peer *chainsi_idle_take(chainsi_idle *idle)
{
    for (chainsi_peer *peer; (peer = idle->first);) {
        idle->first = peer->next;
        idle->count--;
        if (is_open(peer))
            return peer;
        chainsi_peer_close(peer);
    }
    return NULL;
}

void chainsi_idle_close(chainsi_idle *idle, int64_t before_ns)
{
    chainsi_peer **at = &idle->first;
    while (*at) {
        chainsi_peer *peer = *at;
        if (peer->idle_since_ns >= before_ns) {
            at = &peer->next;
            continue;
        }
        *at = peer->next;
        idle->count--;
        chainsi_peer_close(peer);
    }
}

/* Reading. */

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(read_buffer, READ_SIZE);
}

static void hand_on(chainsi_peer *peer, ssize_t got, char *data)
{
    if (got < 0)
        peer->ended = true;
    if (!peer->call) {
        /* An idle connection says something: it was closed, or is of no use any more. */
        leave_idle(peer);
        chainsi_peer_close(peer);
    } else if (!peer->ready) {
        chainsi_set_miss(peer->call,
                         got == UV_EOF ? "it closed the connection" : uv_strerror((int)got));
    } else {
        chainsi_upstream_take(peer->call, got, data);
    }
}

static void flush(chainsi_peer *peer);
static void begin_call(chainsi_peer *peer);

/* Bytes of TLS came. */
static void take_secure(chainsi_peer *peer, const char *data, size_t size)
{
    static chainsi_buffer plain; /* as read_buffer is */
    uv_stream_t *stream = peer->stream;
    const bool was_ready = peer->ready;
    plain.size = 0;
    chainsi_secure_state state = chainsi_secure_take(peer->session, data, size, &plain);
    flush(peer);
    peer->ended = state == CHAINSI_SECURE_ENDED || state == CHAINSI_SECURE_FAILED;
    if (!peer->ready && peer->ended) {
        char how[200];
        chainsi_secure_client_explain(peer->session, how, sizeof how);
        chainsi_set_miss(peer->call, how);
        return;
    }
    if (!was_ready && state == CHAINSI_SECURE_OPEN)
        begin_call(peer);
    else if (was_ready && state == CHAINSI_SECURE_OPEN)
        chainsi_member_note_success(peer->member);
    if (stream->data == peer && plain.size)
        hand_on(peer, (ssize_t)plain.size, (char *)plain.data);
    if (stream->data == peer && peer->ended)
        hand_on(peer, state == CHAINSI_SECURE_ENDED ? UV_EOF : UV_ECONNRESET, NULL);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    chainsi_peer *peer = stream->data;
    if (!peer || got == 0)
        return;
    if (peer->session && got > 0)
        take_secure(peer, buffer->base, (size_t)got);
    else
        hand_on(peer, got, buffer->base);
}

void chainsi_peer_read(chainsi_peer *peer, bool wanted)
{
    if (wanted)
        uv_read_start(peer->stream, allocate, on_read);
    else
        uv_read_stop(peer->stream);
}

/* Making connections. */

chainsi_peer *chainsi_peer_open_unix(chainsi_upstream *upstream, chainsi_upstream_call *call)
{
    int fd = chainsi_address_connect(&upstream->address, CHAINSI_NEVER, NULL, call->why,
                                     sizeof call->why);
    if (fd < 0) {
        chainsi_upstream_fail_later(call, errno == EAGAIN ? CHAINSI_UPSTREAM_QUEUE_FULL
                                                          : CHAINSI_UPSTREAM_NOT_STARTED);
        return NULL;
    }
    chainsi_peer *peer = chainsi_make(sizeof *peer);
    uv_pipe_t *pipe = chainsi_make(sizeof *pipe);
    peer->upstream = upstream;
    peer->ready = true;
    peer->stream = (uv_stream_t *)pipe;
    uv_pipe_init(upstream->loop, pipe, 0);
    pipe->data = peer;
    int error = uv_pipe_open(pipe, fd);
    if (error)
        close(fd);
    else
        error = uv_read_start(peer->stream, allocate, on_read);
    if (error) {
        snprintf(call->why, sizeof call->why, "cannot use a connection: %s", uv_strerror(error));
        chainsi_peer_close(peer);
        chainsi_upstream_fail_later(call, CHAINSI_UPSTREAM_NOT_STARTED);
        return NULL;
    }
    return peer;
}

static void on_limit(uv_timer_t *timer)
{
    chainsi_peer *peer = timer->data;
    if (peer)
        chainsi_set_miss(peer->call,
                         peer->session ? "the TLS handshake took too long" : "it does not answer");
}

/* The connection is there: its call is sent. */
static void begin_call(chainsi_peer *peer)
{
    chainsi_upstream_call *call = peer->call;
    peer->ready = true;
    chainsi_handle_close(peer->limit);
    peer->limit = NULL;
    /* Of TLS the other end may yet refuse this one's certificate. */
    if (!peer->session)
        chainsi_member_note_success(peer->member);
    if (call->paused)
        chainsi_peer_read(peer, false);
    int error = chainsi_peer_send_trip(call);
    if (error)
        chainsi_set_miss(call, uv_strerror(error));
}

static void prepare(chainsi_peer *peer)
{
    int fd;
    const int ms = UNCONFIRMED_MS, after = ASK_AFTER_S, every = ASK_EVERY_S, times = ASK_TIMES;
    const int on = 1;
    uv_tcp_nodelay((uv_tcp_t *)peer->stream, 1);
    if (uv_fileno((uv_handle_t *)peer->stream, &fd))
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &after, sizeof after);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof times);
}

static void on_connected(uv_connect_t *request, int status)
{
    chainsi_peer *peer = request->handle->data;
    free(request);
    if (!peer)
        return;
    prepare(peer);
    if (!status)
        status = uv_read_start(peer->stream, allocate, on_read);
    if (status) {
        chainsi_set_miss(peer->call, uv_strerror(status));
        return;
    }
    const chainsi_secure_client *tls = peer->upstream->set->tls;
    if (!tls) {
        begin_call(peer);
        return;
    }
    peer->session = chainsi_secure_client_open(tls, &peer->member->ticket);
    take_secure(peer, "", 0);
}

int chainsi_peer_connect(chainsi_upstream_call *call)
{
    chainsi_upstream *upstream = call->upstream;
    chainsi_member *member = call->trip->member;
    chainsi_peer *peer = chainsi_make(sizeof *peer);
    uv_tcp_t *tcp = chainsi_make(sizeof *tcp);
    uv_connect_t *request = chainsi_make(sizeof *request);
    peer->upstream = upstream;
    peer->member = member;
    peer->generation = upstream->set->generation;
    peer->stream = (uv_stream_t *)tcp;
    uv_tcp_init(upstream->loop, tcp);
    tcp->data = peer;
    int error = uv_tcp_connect(request, tcp, &member->address.any, on_connected);
    if (error) {
        free(request);
        chainsi_peer_close(peer);
        return error;
    }
    peer->call = call;
    call->peer = peer;
    peer->limit = chainsi_timer_new(upstream->loop, peer);
    uv_timer_start(peer->limit, on_limit, CHAINSI_CONNECT_MS, 0);
    return 0;
}

/* Writing. */

static void on_written(uv_write_t *request, int status)
{
    chainsi_peer *peer = request->handle->data;
    free(request);
    chainsi_upstream_call *call = peer ? peer->call : NULL;
    if (call && call->writing && !(status == 0 && peer->stream->write_queue_size))
        chainsi_upstream_note_written(call, status);
}

/* Writes as much as the kernel takes now, and the rest from the loop, for which the first part is copied. *left is what is
 * left for that. 0, or libuv's error: nothing is written later. */
static int write_parts(uv_stream_t *stream, uv_buf_t parts[2], size_t *left)
{
    size_t first_size = parts[0].len, size = first_size + parts[1].len;
    int result = uv_try_write(stream, parts, parts[1].len ? 2 : 1);
    *left = size;
    if (result < 0 && result != UV_EAGAIN)
        return result;
    size_t sent = result > 0 ? (size_t)result : 0;
    *left = size - sent;
    if (!*left)
        return 0;
    size_t first_sent = sent < first_size ? sent : first_size, first_left = first_size - first_sent;
    pending_write *pending = malloc(sizeof *pending + first_left);
    if (!pending)
        abort();
    memcpy(pending->data, parts[0].base + first_sent, first_left);
    parts[0] = uv_buf_init(pending->data, (unsigned)first_left);
    parts[1].base += sent - first_sent;
    parts[1].len -= sent - first_sent;
    unsigned first = first_left ? 0 : 1, end = parts[1].len ? 2 : 1;
    int error = uv_write(&pending->request, stream, parts + first, end - first, on_written);
    if (error)
        free(pending);
    return error;
}

int chainsi_peer_send(chainsi_upstream_call *call, const void *head, size_t head_size,
                      const void *body, size_t body_size)
{
    size_t left;
    uv_buf_t parts[2] = {
        uv_buf_init((char *)(uintptr_t)head, (unsigned)head_size),
        uv_buf_init((char *)(uintptr_t)body, (unsigned)body_size),
    };
    int error = write_parts(call->peer->stream, parts, &left);
    call->writing = !error && left;
    return error;
}

/* Sends what the session has for the network. */
static void flush(chainsi_peer *peer)
{
    chainsi_buffer *out = chainsi_secure_out(peer->session);
    size_t left;
    if (!out->size)
        return;
    uv_buf_t parts[2] = { uv_buf_init((char *)out->data, (unsigned)out->size), { 0 } };
    int error = write_parts(peer->stream, parts, &left);
    out->size = 0;
    if (out->capacity > READ_SIZE)
        chainsi_buffer_done(out);
    if (!peer->call)
        return;
    if (error)
        peer->call->write_error = error; /* reading tells what came of it */
    else if (left && peer->ready)
        peer->call->writing = true;
}

/* Gives the session a part of the request, from one of its two halves. */
static bool put_part(chainsi_peer *peer, chainsi_trip *trip)
{
    bool in_head = trip->put < trip->head.size;
    size_t at = in_head ? trip->put : trip->put - trip->head.size;
    size_t size = (in_head ? trip->head.size : trip->body_size) - at;
    const char *data = in_head ? (const char *)trip->head.data : trip->body;
    if (size > PUT_SIZE)
        size = PUT_SIZE;
    trip->put += size;
    return chainsi_secure_put(peer->session, data + at, size);
}

void chainsi_peer_go_on(chainsi_upstream_call *call)
{
    chainsi_peer *peer = call->peer;
    chainsi_trip *trip = call->trip;
    const size_t size = trip->head.size + trip->body_size;
    if (!peer->session)
        return;
    while (!call->writing && !call->write_error && trip->put < size) {
        bool good = true;
        while (good && trip->put < size && chainsi_secure_out(peer->session)->size < PUT_SIZE)
            good = put_part(peer, trip);
        if (!good)
            call->write_error = UV_EPROTO;
        trip->sent = true;
        flush(peer);
    }
}

int chainsi_peer_send_trip(chainsi_upstream_call *call)
{
    chainsi_trip *trip = call->trip;
    chainsi_trip_write_head(trip);
    trip->put = 0;
    if (call->peer->session) {
        chainsi_peer_go_on(call);
        return 0;
    }
    int error =
        chainsi_peer_send(call, trip->head.data, trip->head.size, trip->body, trip->body_size);
    trip->sent = !error;
    return error;
}
