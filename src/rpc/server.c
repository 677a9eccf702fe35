/* The life of a server: start, drain, end. What its threads do is in rpc/worker.c; rpc/serving.h
 * tells the parts. */
#include "rpc/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "rpc/address.h"
#include "rpc/bundle.h"

enum {
    STACK_SIZE = 8 * 1024 * 1024,
    SLOWEST_TICK_MS = 1000,
    FASTEST_TICK_MS = 10,
};

/* Growing the table of descriptors stalls all threads for milliseconds: once, now. */
static void grow_descriptor_table(const chainsi_server *server)
{
    int high = fcntl(server->table.epoll, F_DUPFD_CLOEXEC, server->options.max_connections + 64);
    if (high >= 0)
        close(high);
}

static void set_defaults(chainsi_server_options *options)
{
    struct rlimit limit;
    if (options->max_connections <= 0)
        options->max_connections = CHAINSI_MAX_CONNECTIONS;
    if (!getrlimit(RLIMIT_NOFILE, &limit) &&
        (rlim_t)options->max_connections > limit.rlim_cur / 4 * 3)
        options->max_connections = (int)(limit.rlim_cur / 4 * 3);
    if (options->max_connections > CHAINSI_TABLE_MOST)
        options->max_connections = CHAINSI_TABLE_MOST;
    if (options->slots < 1)
        options->slots = 1;
    if (!options->max_body)
        options->max_body = CHAINSI_MAX_BODY;
    if (!options->max_waiting)
        options->max_waiting = CHAINSI_MAX_WAITING;
    if (options->request_timeout_ms <= 0)
        options->request_timeout_ms = CHAINSI_REQUEST_TIMEOUT_MS;
    if (options->late_claim_ms <= 0)
        options->late_claim_ms = CHAINSI_LATE_CLAIM_MS;
    if (options->send_timeout_ms <= 0)
        options->send_timeout_ms = CHAINSI_SEND_TIMEOUT_MS;
    if (options->handshake_ms <= 0)
        options->handshake_ms = CHAINSI_HANDSHAKE_MS;
    if (options->max_handshakes <= 0)
        options->max_handshakes = CHAINSI_MAX_HANDSHAKES;
    if (options->lease_ms <= 0)
        options->lease_ms = CHAINSI_LEASE_MS;
}

static bool make_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && !fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static bool open_descriptors(chainsi_server *server)
{
    const chainsi_server_options *options = &server->options;
    int listen_fd = options->listen_fd;
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    if (getsockname(listen_fd, (struct sockaddr *)&name, &size))
        return false;
    server->local = name.ss_family == AF_UNIX;
    if (server->local)
        server->options.identity = NULL;
    server->hang_up = server->local ? POLLHUP : POLLHUP | POLLRDHUP;
    chainsi_handover_init(server);
    /* Connections inherit it. */
    if (!server->local)
        chainsi_address_settle(listen_fd);
    if (!make_nonblocking(listen_fd) || (options->direct && !make_nonblocking(options->direct_fd)))
        return false;
    server->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    server->grants = options->eager && !server->local;
    const bool frames = options->frames || options->direct;
    if (frames || server->grants)
        server->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (frames)
        server->patience = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (server->grants)
        server->leases_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (server->places.seat.board)
        server->claims_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (server->stop < 0 || (frames && (server->doorbell < 0 || server->patience < 0)) ||
        (server->grants && (server->doorbell < 0 || server->leases_timer < 0)) ||
        (server->places.seat.board && server->claims_timer < 0))
        return false;
    grow_descriptor_table(server);
    return chainsi_worker_watch(server);
}

static bool start_threads(chainsi_server *server)
{
    int count = server->options.slots + (server->options.eager || server->options.frames ? 1 : 0);
    server->workers = calloc((size_t)count, sizeof *server->workers);
    if (!server->workers)
        return false;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    int failed = 0;
    for (int i = 0; i < count && !failed; i++) {
        chainsi_worker *worker = &server->workers[i];
        worker->server = server;
        worker->place = CHAINSI_NO_PLACE;
        worker->run_ns = -1;
        failed = pthread_create(&worker->thread, &attributes, chainsi_worker_run, worker);
        if (!failed)
            server->thread_count++;
    }
    pthread_attr_destroy(&attributes);
    errno = failed;
    return !failed;
}

static void on_closing(void *user, chainsi_connection *connection)
{
    chainsi_server *server = user;
    if (connection->shaking) {
        atomic_fetch_sub(&server->shaking, 1);
        atomic_fetch_add(&server->strangers, 1);
    }
    chainsi_bundle_close(user, connection);
    chainsi_lease_end(user, connection);
}

chainsi_server *chainsi_server_start(const chainsi_server_options *options, char *why,
                                     size_t why_size)
{
    chainsi_server *server = calloc(1, sizeof *server);
    if (!server)
        abort();
    server->options = *options;
    set_defaults(&server->options);
    server->table.tick_ms = server->options.request_timeout_ms / 4;
    if (server->table.tick_ms > SLOWEST_TICK_MS)
        server->table.tick_ms = SLOWEST_TICK_MS;
    if (server->table.tick_ms < FASTEST_TICK_MS)
        server->table.tick_ms = FASTEST_TICK_MS;
    server->stop = server->doorbell = server->patience = server->claims_timer =
        server->leases_timer = -1;
    server->table.closing = on_closing;
    server->table.user = server;
    chainsi_bundles_init(&server->bundles);
    chainsi_places_init(&server->places, server->options.slots, options->seat);
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&server->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (chainsi_table_init(&server->table) && open_descriptors(server) && start_threads(server))
        return server;
    snprintf(why, why_size, "cannot serve: %s", strerror(errno));
    chainsi_server_free(server);
    return NULL;
}

/* Whether something has come on a connection that nobody has read. */
static bool has_unread(const chainsi_connection *connection)
{
    char byte;
    return recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Whether its caller would be left in doubt if a connection on which nothing runs was closed with
 * what has come. On a Unix socket it is told that a call was not read. But over TCP nothing tells, and
 * where several calls are on their way together nothing tells for which of them that holds: so what
 * has come is read, and sent back. */
static bool leaves_doubt(const chainsi_server *server, const chainsi_connection *connection)
{
    if (chainsi_connection_takes_many(connection))
        return has_unread(connection);
    return !server->local && connection->phase != CHAINSI_LINGERING &&
           (!chainsi_table_is_idle(connection) || has_unread(connection));
}

/* Whether calls whose slots were claimed before draining may come yet. */
static bool is_early(const chainsi_server *server)
{
    return chainsi_places_expect(&server->places) &&
           chainsi_now_ns() < atomic_load(&server->late_ns);
}

/* Closes what nobody waits for. Over TCP who has a slot kept for it may send. */
static void close_for_drain(chainsi_connection *connection, void *user)
{
    chainsi_server *server = user;
    if (!chainsi_table_seize(connection))
        return;
    if (connection->bundle)
        chainsi_bundle_send_back(server, connection);
    if (chainsi_bundle_is_busy(connection) || chainsi_lease_is_held(connection)) {
        chainsi_table_put_back(&server->table, connection);
        return;
    }
    bool is_idle = connection->phase != CHAINSI_LINGERING && chainsi_table_is_idle(connection);
    if (is_idle && chainsi_now_ns() < atomic_load(&server->idle_until_ns)) {
        chainsi_table_put_back(&server->table, connection);
        return;
    }
    if (leaves_doubt(server, connection))
        chainsi_table_rouse(&server->table, connection);
    else if (chainsi_connection_takes_many(connection) && is_early(server))
        chainsi_table_put_back(&server->table, connection);
    else
        chainsi_handover_close(server, connection);
}

/* Callers over TCP go to others from now on. */
static void begin_drain_over_tcp(chainsi_server *server, int64_t deadline_ns)
{
    const int64_t enough_ns = 2 * server->options.lease_ms * CHAINSI_NS_PER_MS;
    if (deadline_ns == CHAINSI_NEVER || deadline_ns - chainsi_now_ns() > enough_ns)
        chainsi_lease_begin_drain(server);
    if (!server->options.ends_listening)
        return;
    chainsi_worker_accept_last(server);
    shutdown(server->options.listen_fd, SHUT_RDWR);
}

/* Turns callers away from the server's own socket, and takes in those who wait there. Its descriptor
 * stays open, as a thread may be about to use it. */
static void close_direct(chainsi_server *server)
{
    if (!server->options.direct)
        return;
    int direct_fd = server->options.direct_fd;
    epoll_ctl(server->table.epoll, EPOLL_CTL_DEL, direct_fd, NULL);
    shutdown(direct_fd, SHUT_RDWR);
    chainsi_worker_accept_late(server);
}

/* Waits, with the lock held, until something has changed, or, if early, there is nothing more to
 * come. False: the deadline is over. */
static bool await_change(chainsi_server *server, bool early, int64_t deadline_ns)
{
    int64_t late_ns = atomic_load(&server->late_ns);
    int64_t until_ns = early && late_ns < deadline_ns ? late_ns : deadline_ns;
    if (until_ns == CHAINSI_NEVER)
        return !pthread_cond_wait(&server->changed, &server->lock);
    struct timespec until = { .tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000 };
    int failed = pthread_cond_timedwait(&server->changed, &server->lock, &until);
    return !failed || until_ns < deadline_ns;
}

bool chainsi_server_drain(chainsi_server *server, int64_t deadline_ns)
{
    if (!atomic_exchange(&server->draining, true)) {
        chainsi_places_close(&server->places);
        atomic_store(&server->late_ns,
                     chainsi_now_ns() + server->options.late_claim_ms * CHAINSI_NS_PER_MS);
        epoll_ctl(server->table.epoll, EPOLL_CTL_DEL, server->options.listen_fd, NULL);
        close_direct(server);
        if (server->grants)
            begin_drain_over_tcp(server, deadline_ns);
    }
    for (;;) {
        pthread_mutex_lock(&server->lock);
        uint64_t seen = server->changes;
        pthread_mutex_unlock(&server->lock);
        const bool early =
            is_early(server); /* before the visit: what it leaves open is closed then */
        chainsi_queue_drain(server);
        chainsi_table_visit(&server->table, close_for_drain, server);
        bool in_time = true;
        pthread_mutex_lock(&server->lock);
        bool done = !atomic_load(&server->active) && !atomic_load(&server->table.connections);
        if (!done && seen == server->changes)
            in_time = await_change(server, early, deadline_ns);
        pthread_mutex_unlock(&server->lock);
        if (done || !in_time)
            return done;
    }
}

void chainsi_server_free(chainsi_server *server)
{
    if (!server)
        return;
    if (server->thread_count) {
        chainsi_server_drain(server, CHAINSI_NEVER);
        uint64_t one = 1;
        (void)!write(server->stop, &one, sizeof one);
        for (int i = 0; i < server->thread_count; i++)
            pthread_join(server->workers[i].thread, NULL);
    }
    chainsi_places_close(&server->places);
    chainsi_table_done(&server->table);
    chainsi_bundles_done(&server->bundles);
    const int owned[] = {
        server->stop,         server->doorbell,
        server->patience,     server->claims_timer,
        server->leases_timer, server->options.direct ? server->options.direct_fd : -1
    };
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        if (owned[i] >= 0)
            close(owned[i]);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server->workers);
    free(server);
}

void chainsi_server_read_counters(chainsi_server *server, chainsi_server_counters *counters)
{
    *counters = (chainsi_server_counters){
        .accepted = atomic_load(&server->accepted),
        .requests = atomic_load(&server->requests),
        .refused = atomic_load(&server->refused),
        .lost = atomic_load(&server->lost),
        .handshakes = atomic_load(&server->handshakes),
        .resumed = atomic_load(&server->resumed),
        .strangers = atomic_load(&server->strangers),
        .connections = (uint64_t)atomic_load(&server->table.connections),
        .in_flight = (uint64_t)atomic_load(&server->places.running),
        .waiting = (uint64_t)atomic_load(&server->waiting),
        .not_started = atomic_load(&server->not_started),
    };
}
