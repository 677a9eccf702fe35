/* Listeners of the front door, and who may come in. A connection that may not is told so where it can be
 * without waiting, and closed; when the process has no descriptor left, libuv takes the connection with one
 * that it keeps for this, and closes it, so that nobody waits in vain and the loop doesn't spin. */
#include "control/front.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control/front_parts.h"
#include "control/handle.h"

enum {
    FINISH_MS = 1000,         /* for answers in flight when the front finishes */
    OWN_DESCRIPTORS = 64,     /* of the daemon itself, before any connection */
    DESCRIPTORS_OF_A_CALL = 2 /* the client's connection, and the one to the Chainlet */
};

static void tell_finished(chainsi_front *front)
{
    if (!front->finishing || front->finished || front->connections)
        return;
    front->finished = true;
    chainsi_handle_close(front->timer);
    front->timer = NULL;
    front->options.on_finished(front->options.user);
}

void chainsi_front_remove(chainsi_front_connection *c)
{
    chainsi_front *front = c->front;
    if (c->is_counted)
        chainsi_guests_leave(front->guests, c->guest);
    if (c->previous)
        c->previous->next = c->next;
    else
        front->connections = c->next;
    if (c->next)
        c->next->previous = c->previous;
    front->connection_count--;
    tell_finished(front);
}

/* Says why in plain HTTP, without waiting for anything, and closes. */
static void turn_away(uv_stream_t *stream, const char *answer)
{
    if (answer) {
        uv_buf_t part = uv_buf_init((char *)(uintptr_t)answer, (unsigned)strlen(answer));
        uv_try_write(stream, &part, 1);
    }
    chainsi_handle_close(stream);
}

/* Takes over a stream that was accepted. guest NULL: nobody's in particular. */
static void let_in(chainsi_front *front, uv_stream_t *stream, const chainsi_guest *guest,
                   const chainsi_secure *secure)
{
    static const char full[] =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
        "Content-Type: text/plain\r\nContent-Length: 44\r\n\r\n"
        "as many connections are open as are allowed\n";
    static const char too_many[] =
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nConnection: close\r\n"
        "Content-Type: text/plain\r\nContent-Length: 59\r\n\r\n"
        "your address has as many connections open as it is allowed\n";
    if (front->connection_count >= front->options.max_connections) {
        turn_away(stream, secure ? NULL : full);
        return;
    }
    if (guest && !chainsi_guests_enter(front->guests, *guest)) {
        turn_away(stream, secure ? NULL : too_many);
        return;
    }
    chainsi_front_connection *c = chainsi_make(sizeof *c);
    c->front = front;
    c->is_counted = guest != NULL;
    if (guest)
        c->guest = *guest;
    c->next = front->connections;
    if (c->next)
        c->next->previous = c;
    front->connections = c;
    front->connection_count++;
    chainsi_wire_init(&c->wire, stream, secure);
    chainsi_front_begin(c);
}

static void on_tcp_connection(uv_stream_t *listener, int status)
{
    chainsi_front *front = listener->data;
    if (status < 0 || !front)
        return;
    uv_tcp_t *tcp = chainsi_make(sizeof *tcp);
    struct sockaddr_storage address;
    int size = sizeof address;
    uv_tcp_init(front->loop, tcp);
    if (uv_accept(listener, (uv_stream_t *)tcp) != 0 ||
        uv_tcp_getpeername(tcp, (struct sockaddr *)&address, &size) != 0) {
        chainsi_handle_close(tcp);
        return;
    }
    uv_tcp_nodelay(tcp, 1);
    chainsi_guest guest = chainsi_guest_of((const struct sockaddr *)&address);
    let_in(front, (uv_stream_t *)tcp, &guest, front->options.secure);
}

static void on_unix_connection(uv_stream_t *listener, int status)
{
    chainsi_front *front = listener->data;
    if (status < 0 || !front)
        return;
    uv_pipe_t *pipe = chainsi_make(sizeof *pipe);
    uv_pipe_init(front->loop, pipe, 0);
    if (uv_accept(listener, (uv_stream_t *)pipe) == 0)
        let_in(front, (uv_stream_t *)pipe, NULL, NULL);
    else
        chainsi_handle_close(pipe);
}

/* So many connections that calls for all of them still find descriptors. */
static size_t limit_by_descriptors(size_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return wanted;
    size_t most = limit.rlim_cur > OWN_DESCRIPTORS
                      ? (size_t)(limit.rlim_cur - OWN_DESCRIPTORS) / DESCRIPTORS_OF_A_CALL
                      : 1;
    return wanted < most ? wanted : most;
}

chainsi_front *chainsi_front_new(uv_loop_t *loop, const chainsi_front_options *options)
{
    chainsi_front *front = chainsi_make(sizeof *front);
    front->loop = loop;
    front->options = *options;
    if (!front->options.max_connections)
        front->options.max_connections = CHAINSI_MAX_CONNECTIONS;
    front->options.max_connections = limit_by_descriptors(front->options.max_connections);
    return front;
}

int chainsi_front_open(chainsi_front *front, int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return uv_translate_sys_error(errno);
    if (!front->guests)
        front->guests = chainsi_guests_new(front->options.max_connections_of_one
                                               ? front->options.max_connections_of_one
                                               : CHAINSI_MAX_CONNECTIONS_OF_ONE);
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
    chainsi_handle_close(listener);
}

void chainsi_front_stop(chainsi_front *front)
{
    front->stopping = true;
    chainsi_handle_close(front->listener);
    front->listener = NULL;
    for (chainsi_front_connection *c = front->connections, *next; c; c = next) {
        next = c->next;
        if (chainsi_front_is_idle(c))
            chainsi_front_close(c);
    }
}

static void on_finish_time(uv_timer_t *timer)
{
    chainsi_front *front = timer->data;
    if (!front)
        return;
    for (chainsi_front_connection *c = front->connections, *next; c; c = next) {
        next = c->next;
        chainsi_front_close(c);
    }
}

void chainsi_front_finish(chainsi_front *front)
{
    for (chainsi_front_connection *c = front->connections, *next; c; c = next) {
        next = c->next;
        if (c->state != CHAINSI_FRONT_FLUSHING && c->state != CHAINSI_FRONT_LINGERING)
            chainsi_front_close(c);
    }
    front->timer = chainsi_timer_new(front->loop, front);
    uv_timer_start(front->timer, on_finish_time, FINISH_MS, 0);
    front->finishing = true; /* from now on the last connection may end the front */
    tell_finished(front);
}

void chainsi_front_visit(chainsi_front *front,
                         void (*visit)(void *user, chainsi_exchange *exchange), void *user)
{
    for (chainsi_front_connection *c = front->connections, *next; c; c = next) {
        next = c->next;
        if (c->state == CHAINSI_FRONT_RUNNING && !c->aborted && !c->wire.broken)
            visit(user, &c->exchange);
    }
}

void chainsi_front_free(chainsi_front *front)
{
    if (!front)
        return;
    assert(!front->connections);
    chainsi_handle_close(front->listener);
    chainsi_guests_free(front->guests);
    free(front);
}
