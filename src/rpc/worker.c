/* The threads: each waits for an event and sees to it. There are as many as slots, and one more where
 * somebody has to listen while all slots are busy (frames, eager). A thread that runs a call holds a slot,
 * so one of them is never in a handler.
 *
 * A thread counts as active from the moment epoll gave it something; draining waits for no active
 * thread and no connection, so "no call runs" includes "every answer has left". */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/tally.h"
#include "rpc/bundle.h"

/* What epoll says for what is no connection. */
static char listener_tag, direct_tag, timer_tag, claims_tag, leases_tag, patience_tag, doorbell_tag,
    stop_tag;

static bool watch(chainsi_server *server, int fd, uint32_t events, void *tag)
{
    struct epoll_event event = { .events = EPOLLIN | events, .data.ptr = tag };
    return fd < 0 || !epoll_ctl(server->table.epoll, EPOLL_CTL_ADD, fd, &event);
}

bool chainsi_worker_watch(chainsi_server *server)
{
    /* The stop is for every thread; what is edge-triggered is never read. */
    return watch(server, server->stop, 0, &stop_tag) &&
           watch(server, server->doorbell, EPOLLET, &doorbell_tag) &&
           watch(server, server->patience, EPOLLET, &patience_tag) &&
           watch(server, server->claims_timer, EPOLLET, &claims_tag) &&
           watch(server, server->leases_timer, EPOLLET, &leases_tag) &&
           watch(server, server->table.timer, EPOLLET, &timer_tag) &&
           watch(server, server->options.direct ? server->options.direct_fd : -1, EPOLLONESHOT,
                 &direct_tag) &&
           watch(server, server->options.listen_fd, EPOLLONESHOT, &listener_tag);
}

static void arm(chainsi_server *server, int fd, void *tag)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT, .data.ptr = tag };
    epoll_ctl(server->table.epoll, EPOLL_CTL_MOD, fd, &event);
}

void chainsi_worker_arm_listener(chainsi_server *server)
{
    /* If it is paused, trying again at once would fail again at once: the timer arms it. */
    if (!atomic_load(&server->listener_paused) && !atomic_load(&server->draining))
        arm(server, server->options.listen_fd, &listener_tag);
}

void chainsi_worker_ring(chainsi_server *server)
{
    uint64_t one = 1;
    if (server->doorbell >= 0)
        (void)!write(server->doorbell, &one, sizeof one);
}

/* ------------------------------------------------------------------------------------------------
 * accepting */

/* A connection's descriptor from a listening socket, -1. Asks first: accept allocates before it
 * looks, and another process may have been faster. */
static int accept_descriptor(chainsi_server *server, int listen_fd)
{
    struct pollfd waiting = { .fd = listen_fd, .events = POLLIN };
    if (atomic_load(&server->draining) || poll(&waiting, 1, 0) <= 0)
        return -1;
    if (atomic_load(&server->table.connections) >= server->options.max_connections)
        chainsi_table_close_oldest(&server->table);
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    bool short_of =
        fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM);
    if (short_of && !chainsi_table_close_oldest(&server->table)) {
        atomic_store(&server->listener_paused, true);
        chainsi_table_set_timer(&server->table);
    }
    return fd;
}

/* Begins a session where there is to be one. False: the connection can't be had. */
static bool greet(chainsi_server *server, chainsi_channel *channel, bool tcp)
{
    if (!server->options.identity || !tcp)
        return true;
    if (atomic_fetch_add(&server->shaking, 1) < server->options.max_handshakes)
        channel->session = chainsi_tls_get_engine()->accept(channel->fd, server->options.identity);
    if (channel->session)
        return true;
    atomic_fetch_sub(&server->shaking, 1);
    atomic_fetch_add(&server->strangers, 1);
    return false;
}

chainsi_connection *chainsi_worker_open(chainsi_server *server, int fd,
                                        enum chainsi_protocol protocol)
{
    chainsi_connection *connection = NULL;
    chainsi_channel channel = { .fd = fd };
    if (!greet(server, &channel, protocol == CHAINSI_ONLY_HTTP)) {
        close(fd);
        return NULL;
    }
    if (atomic_load(&server->table.connections) < server->options.max_connections)
        connection = chainsi_table_take(&server->table);
    if (!connection) {
        if (channel.session)
            atomic_fetch_sub(&server->shaking, 1);
        chainsi_channel_close(&channel);
        return NULL;
    }
    chainsi_connection_open(connection, fd, channel.session, protocol);
    atomic_fetch_add(&server->accepted, 1);
    return connection;
}

chainsi_connection *chainsi_worker_accept(chainsi_worker *self)
{
    chainsi_server *server = self->server;
    int fd = accept_descriptor(server, server->options.listen_fd);
    if (fd < 0)
        return NULL;
    return chainsi_worker_open(server, fd,
                               server->options.frames && server->local ? CHAINSI_UNDECIDED
                                                                       : CHAINSI_ONLY_HTTP);
}

void chainsi_worker_accept_last(chainsi_server *server)
{
    int fd;
    while ((fd = accept4(server->options.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >=
           0) {
        chainsi_connection *connection = chainsi_worker_open(server, fd, CHAINSI_ONLY_HTTP);
        if (connection)
            chainsi_table_put_back(&server->table, connection);
    }
}

static void accept_shared(chainsi_worker *self)
{
    chainsi_server *server = self->server;
    if (atomic_load(&server->draining))
        return;
    /* A server that accepts eagerly finds out later who needs a slot. */
    bool eager = server->options.eager;
    if (!eager && !chainsi_queue_take_for_listener(self))
        return;
    chainsi_connection *connection = chainsi_worker_accept(self);
    if (eager)
        chainsi_worker_arm_listener(server);
    else
        chainsi_queue_leave_listener(self);
    if (connection)
        chainsi_request_serve(self, connection, !eager);
}

bool chainsi_worker_trusts(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) &&
           (peer.uid == geteuid() || peer.uid == 0);
}

/* The connection of a caller that comes with claims, NULL; fd is taken. */
static chainsi_connection *open_direct(chainsi_server *server, int fd)
{
    if (!chainsi_worker_trusts(fd)) {
        close(fd);
        return NULL;
    }
    chainsi_connection *connection = chainsi_worker_open(server, fd, CHAINSI_UNDECIDED);
    if (connection)
        connection->direct = connection->keeps = true;
    return connection;
}

void chainsi_worker_accept_late(chainsi_server *server)
{
    for (int fd; (fd = accept4(server->options.direct_fd, NULL, NULL,
                               SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;) {
        chainsi_connection *connection = open_direct(server, fd);
        if (connection)
            chainsi_table_put_back(&server->table, connection);
    }
}

static void accept_direct(chainsi_worker *self)
{
    chainsi_server *server = self->server;
    if (atomic_load(&server->draining))
        return;
    int fd = accept_descriptor(server, server->options.direct_fd);
    if (!atomic_load(&server->listener_paused))
        arm(server, server->options.direct_fd, &direct_tag);
    chainsi_connection *connection = fd < 0 ? NULL : open_direct(server, fd);
    if (connection)
        chainsi_request_serve(self, connection, false);
}

/* ------------------------------------------------------------------------------------------------
 * late connections */

typedef struct sweep {
    chainsi_worker *self;
    int64_t now_ns;
    bool again; /* some connection has a deadline that hasn't passed */
} sweep;

static bool is_late(const chainsi_connection *connection, int64_t now_ns)
{
    return atomic_load_explicit(&connection->deadline_ns, memory_order_relaxed) <= now_ns;
}

static void close_if_late(chainsi_connection *connection, void *user)
{
    sweep *its = user;
    chainsi_server *server = its->self->server;
    if (atomic_load_explicit(&connection->deadline_ns, memory_order_relaxed) == CHAINSI_NEVER)
        return;
    if (!is_late(connection, its->now_ns) || !chainsi_table_seize(connection)) {
        its->again = true;
        return;
    }
    if (!is_late(connection, its->now_ns)) {
        chainsi_table_put_back(&server->table, connection);
        its->again = true;
        return;
    }
    chainsi_request_close_late(its->self, connection);
}

static void sweep_connections(chainsi_worker *self)
{
    chainsi_server *server = self->server;
    atomic_store(&server->table.timer_armed, false);
    sweep its = { .self = self, .now_ns = chainsi_now_ns() };
    chainsi_table_visit(&server->table, close_if_late, &its);
    if (atomic_exchange(&server->listener_paused, false) && !atomic_load(&server->draining)) {
        arm(server, server->options.listen_fd, &listener_tag);
        if (server->options.direct)
            arm(server, server->options.direct_fd, &direct_tag);
    }
    if (its.again)
        chainsi_table_set_timer(&server->table);
}

/* ------------------------------------------------------------------------------------------------
 * events */

static void tell_drain(chainsi_server *server)
{
    if (!atomic_load(&server->draining))
        return;
    pthread_mutex_lock(&server->lock);
    server->changes++;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static void answer_bell(chainsi_worker *self, enum chainsi_bell bell)
{
    chainsi_server *server = self->server;
    chainsi_bundle_work(self, bell);
    chainsi_queue_recheck(self);
    /* Several slots may have come free for one ring; this thread sees to one. */
    if (server->grants && self->place != CHAINSI_NO_PLACE && atomic_load(&server->waiting) > 1)
        chainsi_worker_ring(server);
}

/* Whether the other end of an owned connection is gone: what an event has said may have been said of the one
 * before, in the same memory, which another thread has closed meanwhile. */
static bool has_hung_up(const chainsi_connection *connection)
{
    struct pollfd watched = { .fd = connection->fd };
    return poll(&watched, 1, 0) > 0 && (watched.revents & (POLLHUP | POLLERR));
}

static void handle_connection(chainsi_worker *self, chainsi_connection *connection, uint32_t events)
{
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        atomic_store(&connection->ended, true);
    if (!chainsi_table_claim(connection)) {
        if (atomic_load(&connection->ended))
            chainsi_queue_withdraw(self->server, connection);
        return;
    }
    /* Nobody is there any more to be answered, whatever was sent. */
    if ((events & (EPOLLHUP | EPOLLERR)) && has_hung_up(connection) &&
        !chainsi_handover_is_coming(self->server, connection))
        chainsi_request_hang_up(self, connection);
    else
        chainsi_request_serve(self, connection, false);
}

void *chainsi_worker_run(void *user)
{
    chainsi_worker *self = user;
    chainsi_server *server = self->server;
    chainsi_tally_begin_thread();
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(server->table.epoll, &event, 1, -1) != 1)
            continue; /* a signal */
        void *tag = event.data.ptr;
        if (tag == &stop_tag)
            break;
        atomic_fetch_add(&server->active, 1);
        if (tag == &listener_tag)
            accept_shared(self);
        else if (tag == &direct_tag)
            accept_direct(self);
        else if (tag == &timer_tag)
            sweep_connections(self);
        else if (tag == &claims_tag)
            chainsi_queue_check_claims(self);
        else if (tag == &leases_tag)
            chainsi_lease_check(self);
        else if (tag == &doorbell_tag)
            answer_bell(self, CHAINSI_BELL_RUNG);
        else if (tag == &patience_tag)
            answer_bell(self, CHAINSI_BELL_TIMED);
        else
            handle_connection(self, tag, event.events);
        chainsi_queue_pass_place(self);
        atomic_fetch_sub(&server->active, 1);
        tell_drain(server);
    }
    chainsi_arena_done(&self->arena);
    chainsi_answer_done(&self->answer);
    free(self->spare.data);
    return NULL;
}
