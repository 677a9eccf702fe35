/* Threads and slots. Who owns a connection is rpc/table.h's.
 *
 * Slots: in a plain server there are as many threads as slots, so whoever has a request has a slot.
 * An eager server has one thread more: a request that finds all slots busy is queued, and the thread
 * goes back to reading; a thread that is done with a call takes the next one from the queue.
 *
 * A thread counts as active from the moment epoll gave it something; draining waits for no active
 * thread and no connection, so "no call runs" includes "every answer has left". */
#include "rpc/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "rpc/answer.h"
#include "rpc/connection.h"
#include "rpc/table.h"

enum {
    STACK_SIZE = 8 * 1024 * 1024,
    SLOWEST_TICK_MS = 1000,
    FASTEST_TICK_MS = 10,
};

/* What epoll says for what is no connection. */
static char listener_tag, timer_tag, stop_tag;

typedef struct worker {
    chainsi_server *server;
    pthread_t thread;
    chainsi_arena arena;
    chainsi_answer answer;
    chainsi_spare spare;
    chainsi_server_request request; /* the one that was read last */
} worker;

struct chainsi_server {
    chainsi_server_options options;
    bool local;
    short hang_up;
    chainsi_table table; /* with the epoll and the timer */
    int stop;            /* owned descriptor */
    int thread_count;    /* that run */
    worker *workers;     /* owned */
    atomic_bool draining;
    atomic_bool listener_paused;
    atomic_int active; /* threads that have something to do */
    atomic_int busy;   /* slots */
    atomic_uint_fast64_t accepted, requests, refused, lost;

    pthread_mutex_t lock;                             /* of what follows */
    pthread_cond_t changed;                           /* told while draining */
    uint64_t changes;                                 /* how often */
    chainsi_connection *first_waiting, *last_waiting; /* whole requests without a slot (eager) */
    size_t waiting;
};

static void tell_drain(chainsi_server *server)
{
    if (!atomic_load(&server->draining))
        return;
    pthread_mutex_lock(&server->lock);
    server->changes++;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

/* ------------------------------------------------------------------------------------------------
 * running */

/* Sends the answer in the thread's buffers. */
static bool send_answer(worker *self, chainsi_connection *connection,
                        const chainsi_server_response *response, chainsi_http_method method,
                        bool keep, int minor_version)
{
    bool sent = chainsi_answer_send(&self->answer, connection, response, method, keep,
                                    minor_version, self->server->options.send_timeout_ms);
    if (!sent)
        atomic_fetch_add(&self->server->lost, 1);
    return sent;
}

static bool send_error(worker *self, chainsi_connection *connection, int status,
                       const char *message, bool keep)
{
    chainsi_server_response response = chainsi_answer_error(&self->answer, status, message);
    atomic_fetch_add(&self->server->refused, 1);
    return send_answer(self, connection, &response, CHAINSI_HTTP_OTHER, keep, 1);
}

/* Runs the whole request whose head is parsed. Whether the connection goes on. */
static bool run(worker *self, chainsi_connection *connection, bool probe)
{
    chainsi_server *server = self->server;
    const chainsi_server_options *options = &server->options;
    chainsi_server_request *request = &self->request;
    char replaced;
    request->body = chainsi_connection_body(connection, &replaced);
    request->body_size = connection->body_size;
    request->arena = &self->arena;
    request->fd = connection->fd;
    request->hang_up = server->hang_up;
    request->local = server->local;
    request->probe = probe;
    request->received_ns = connection->received_ns;
    chainsi_server_response response = chainsi_answer_begin(&self->answer, 200);
    atomic_fetch_add(&server->requests, 1);
    options->handler(options->user, request, &response);
    bool keep =
        self->request.head.head.keep_alive && !response.close && !atomic_load(&server->draining);
    keep = send_answer(self, connection, &response, self->request.head.method, keep,
                       self->request.head.head.minor_version) &&
           keep;
    if (options->after)
        options->after(options->user, request);
    chainsi_arena_reset(&self->arena);
    chainsi_answer_shrink(&self->answer);
    chainsi_connection_next(connection, replaced);
    return keep;
}

/* ------------------------------------------------------------------------------------------------
 * slots */

enum admission { ADMITTED, QUEUED, TURNED_AWAY };

static void append_waiting(chainsi_server *server, chainsi_connection *connection)
{
    connection->next = NULL;
    if (server->last_waiting)
        server->last_waiting->next = connection;
    else
        server->first_waiting = connection;
    server->last_waiting = connection;
    server->waiting++;
}

static chainsi_connection *take_waiting(chainsi_server *server)
{
    chainsi_connection *connection = server->first_waiting;
    if (!connection)
        return NULL;
    server->first_waiting = connection->next;
    if (!server->first_waiting)
        server->last_waiting = NULL;
    server->waiting--;
    return connection;
}

/* Finds a slot for a whole request. `holding`: the caller has one already, from the request before;
 * it goes to whoever waits longest, and *connection becomes that one. */
static enum admission admit(worker *self, chainsi_connection **connection, bool holding)
{
    chainsi_server *server = self->server;
    const chainsi_server_options *options = &server->options;
    if (!options->eager) {
        if (!holding && atomic_fetch_add(&server->busy, 1) + 1 == options->slots &&
            options->recall_idle && server->local && atomic_load(&server->table.idle) > 0)
            chainsi_table_close_idle(&server->table);
        return ADMITTED;
    }
    enum admission admission = ADMITTED;
    pthread_mutex_lock(&server->lock);
    if (holding) {
        append_waiting(server, *connection);
        *connection = take_waiting(server);
    } else if (atomic_load(&server->busy) < options->slots) {
        atomic_fetch_add(&server->busy, 1);
    } else if (server->waiting < options->max_waiting) {
        append_waiting(server, *connection);
        admission = QUEUED;
    } else {
        admission = TURNED_AWAY;
    }
    pthread_mutex_unlock(&server->lock);
    return admission;
}

/* Whether the caller of a request that has waited is gone. */
static bool has_hung_up(const chainsi_server *server, const chainsi_connection *connection)
{
    struct pollfd watched = { .fd = connection->fd, .events = server->hang_up };
    return poll(&watched, 1, 0) > 0 && watched.revents;
}

/* Gives the slot to the next waiting request, which the caller has to run then, or back. */
static chainsi_connection *pass_slot(chainsi_server *server)
{
    if (!server->options.eager) {
        atomic_fetch_sub(&server->busy, 1);
        return NULL;
    }
    for (;;) {
        pthread_mutex_lock(&server->lock);
        chainsi_connection *next = take_waiting(server);
        if (!next)
            atomic_fetch_sub(&server->busy, 1);
        pthread_mutex_unlock(&server->lock);
        if (!next || !has_hung_up(server, next))
            return next;
        chainsi_table_close(&server->table, next);
    }
}

/* ------------------------------------------------------------------------------------------------
 * reading */

/* A whole request was read: runs it, or has it wait. Returns the connection to go on with. */
static chainsi_connection *take_request(worker *self, chainsi_connection *connection, bool *holding)
{
    chainsi_server *server = self->server;
    const chainsi_server_options *options = &server->options;
    atomic_store_explicit(&connection->deadline_ns, CHAINSI_NEVER, memory_order_relaxed);
    bool keep;
    if (options->probe && options->probe(options->user, &self->request.head)) {
        keep = run(self, connection, true);
    } else {
        chainsi_connection *read = connection;
        switch (admit(self, &connection, *holding)) {
        case QUEUED:
            return NULL;
        case TURNED_AWAY: {
            char replaced;
            chainsi_connection_body(connection, &replaced);
            keep = self->request.head.head.keep_alive && !atomic_load(&server->draining);
            keep =
                send_error(self, connection, 429, "too many calls wait for a slot", keep) && keep;
            chainsi_connection_next(connection, replaced);
            break;
        }
        default:
            *holding = true;
            if (connection != read)
                chainsi_connection_parse(connection, &self->request.head);
            keep = run(self, connection, false);
        }
    }
    if (keep)
        return connection;
    chainsi_table_close(&server->table, connection);
    return NULL;
}

/* Nothing more has come: lets go of the connection until something does. Returns it if that has
 * happened meanwhile. */
static chainsi_connection *pause_reading(worker *self, chainsi_connection *connection)
{
    chainsi_server *server = self->server;
    bool between = connection->phase == CHAINSI_READING_HEAD && !connection->size;
    if (between) {
        chainsi_connection_rest(connection, &self->spare);
        chainsi_table_set_idle(&server->table, connection, chainsi_now_ns());
    } else if (atomic_load_explicit(&connection->deadline_ns, memory_order_relaxed) ==
               CHAINSI_NEVER) {
        atomic_store_explicit(&connection->deadline_ns,
                              chainsi_now_ns() +
                                  server->options.request_timeout_ms * CHAINSI_NS_PER_MS,
                              memory_order_relaxed);
    }
    return chainsi_table_release(&server->table, connection) ? NULL : connection;
}

/* Answers what was refused and drops what else comes, so that a caller that is still sending gets to
 * read the answer. Returns the connection if it goes on like that. */
static chainsi_connection *refuse(worker *self, chainsi_connection *connection,
                                  const chainsi_http_refusal *refusal)
{
    chainsi_server *server = self->server;
    bool sent = send_error(self, connection, refusal->status, refusal->reason, false);
    if (!sent || atomic_load(&server->draining) || shutdown(connection->fd, SHUT_WR)) {
        chainsi_table_close(&server->table, connection);
        return NULL;
    }
    connection->phase = CHAINSI_LINGERING;
    connection->size = connection->start = 0;
    chainsi_connection_rest(connection, &self->spare);
    atomic_store_explicit(&connection->deadline_ns,
                          chainsi_now_ns() + CHAINSI_LINGER_MS * CHAINSI_NS_PER_MS,
                          memory_order_relaxed);
    return connection;
}

/* Reads, and runs what was read, for as long as there is something. The caller owns the connection
 * and doesn't afterwards. */
static void serve(worker *self, chainsi_connection *connection)
{
    chainsi_server *server = self->server;
    bool holding = false; /* a slot */
    while (connection) {
        chainsi_http_refusal refusal;
        chainsi_read_end end;
        chainsi_table_set_idle(&server->table, connection, CHAINSI_NEVER);
        if (atomic_load(&server->draining) && server->local)
            end = CHAINSI_READ_CLOSED; /* unread, so that the caller knows that nothing started */
        else if (connection->phase == CHAINSI_LINGERING)
            end = chainsi_connection_drop(connection);
        else
            end = chainsi_connection_read(connection, server->options.max_body, &self->spare,
                                          &self->request.head, &refusal);
        switch (end) {
        case CHAINSI_READ_REQUEST:
            connection = take_request(self, connection, &holding);
            /* Its next request is not there yet: nobody sends one before reading the answer,
             * except those who have sent it already. */
            if (connection && !connection->size)
                connection = pause_reading(self, connection);
            break;
        case CHAINSI_READ_INCOMPLETE:
            connection = pause_reading(self, connection);
            break;
        case CHAINSI_READ_REFUSED:
            connection = refuse(self, connection, &refusal);
            break;
        default:
            chainsi_table_close(&server->table, connection);
            connection = NULL;
        }
        while (!connection && holding) {
            connection = pass_slot(server);
            if (!connection) {
                holding = false;
                break;
            }
            chainsi_connection_parse(connection, &self->request.head);
            if (!run(self, connection, false)) {
                chainsi_table_close(&server->table, connection);
                connection = NULL;
            } else if (!connection->size) {
                connection = pause_reading(self, connection);
            }
        }
    }
}

/* ------------------------------------------------------------------------------------------------
 * threads */

static void accept_one(worker *self)
{
    chainsi_server *server = self->server;
    int listen_fd = server->options.listen_fd;
    if (atomic_load(&server->draining))
        return;
    /* Asking first: accept allocates before it looks, and another process may have been faster. */
    struct pollfd waiting = { .fd = listen_fd, .events = POLLIN };
    int fd = -1;
    if (poll(&waiting, 1, 0) > 0) {
        if (atomic_load(&server->table.connections) >= server->options.max_connections)
            chainsi_table_close_oldest(&server->table);
        fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        bool short_of =
            fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM);
        if (short_of && !chainsi_table_close_oldest(&server->table)) {
            /* Trying again at once would fail again at once. */
            atomic_store(&server->listener_paused, true);
            chainsi_table_set_timer(&server->table);
            return;
        }
    }
    chainsi_table_arm(&server->table, EPOLL_CTL_MOD, listen_fd, &listener_tag);
    if (fd < 0)
        return;
    chainsi_connection *connection = NULL;
    if (atomic_load(&server->table.connections) < server->options.max_connections)
        connection = chainsi_table_take(&server->table);
    if (!connection) {
        close(fd);
        return;
    }
    chainsi_connection_open(connection, fd);
    atomic_fetch_add(&server->accepted, 1);
    serve(self, connection);
}

typedef struct sweep {
    worker *self;
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
    if (connection->phase != CHAINSI_LINGERING)
        send_error(its->self, connection, 408, "the request did not come to its end in time",
                   false);
    chainsi_table_close(&server->table, connection);
}

static void sweep_connections(worker *self)
{
    chainsi_server *server = self->server;
    uint64_t times;
    (void)!read(server->table.timer, &times, sizeof times);
    chainsi_table_arm(&server->table, EPOLL_CTL_MOD, server->table.timer, &timer_tag);
    atomic_store(&server->table.timer_armed, false);
    sweep its = { .self = self, .now_ns = chainsi_now_ns() };
    chainsi_table_visit(&server->table, close_if_late, &its);
    if (atomic_exchange(&server->listener_paused, false) && !atomic_load(&server->draining))
        chainsi_table_arm(&server->table, EPOLL_CTL_MOD, server->options.listen_fd, &listener_tag);
    if (its.again)
        chainsi_table_set_timer(&server->table);
}

static void *work(void *user)
{
    worker *self = user;
    chainsi_server *server = self->server;
    for (;;) {
        struct epoll_event event;
        if (epoll_wait(server->table.epoll, &event, 1, -1) != 1)
            continue; /* a signal */
        void *tag = event.data.ptr;
        if (tag == &stop_tag)
            break;
        atomic_fetch_add(&server->active, 1);
        if (tag == &listener_tag)
            accept_one(self);
        else if (tag == &timer_tag)
            sweep_connections(self);
        else if (chainsi_table_claim(tag))
            serve(self, tag);
        atomic_fetch_sub(&server->active, 1);
        tell_drain(server);
    }
    chainsi_arena_done(&self->arena);
    chainsi_answer_done(&self->answer);
    free(self->spare.data);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------
 * lifecycle */

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
    if (!getrlimit(RLIMIT_NOFILE, &limit) && (rlim_t)options->max_connections > limit.rlim_cur / 2)
        options->max_connections = (int)(limit.rlim_cur / 2);
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
    if (options->send_timeout_ms <= 0)
        options->send_timeout_ms = CHAINSI_SEND_TIMEOUT_MS;
}

static bool open_descriptors(chainsi_server *server)
{
    int listen_fd = server->options.listen_fd;
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    if (getsockname(listen_fd, (struct sockaddr *)&name, &size))
        return false;
    server->local = name.ss_family == AF_UNIX;
    server->hang_up = server->local ? POLLHUP : POLLHUP | POLLRDHUP;
    /* Connections inherit it. */
    if (!server->local)
        setsockopt(listen_fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    int flags = fcntl(listen_fd, F_GETFL);
    if (flags < 0 || fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK))
        return false;
    server->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->stop < 0)
        return false;
    grow_descriptor_table(server);
    /* Not ONESHOT: it is for every thread. */
    struct epoll_event stop = { .events = EPOLLIN, .data.ptr = &stop_tag };
    return !epoll_ctl(server->table.epoll, EPOLL_CTL_ADD, server->stop, &stop) &&
           !chainsi_table_arm(&server->table, EPOLL_CTL_ADD, server->table.timer, &timer_tag) &&
           !chainsi_table_arm(&server->table, EPOLL_CTL_ADD, listen_fd, &listener_tag);
}

static bool start_threads(chainsi_server *server)
{
    int count = server->options.slots + (server->options.eager ? 1 : 0);
    server->workers = calloc((size_t)count, sizeof *server->workers);
    if (!server->workers)
        return false;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    int failed = 0;
    for (int i = 0; i < count && !failed; i++) {
        server->workers[i].server = server;
        failed = pthread_create(&server->workers[i].thread, &attributes, work, &server->workers[i]);
        if (!failed)
            server->thread_count++;
    }
    pthread_attr_destroy(&attributes);
    errno = failed;
    return !failed;
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
    server->stop = -1;
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

/* Closes what nobody waits for. Over TCP a caller can't tell whether a request that it has sent was
 * read, so what it has begun to send is still taken. */
static void close_for_drain(chainsi_connection *connection, void *user)
{
    chainsi_server *server = user;
    if (!chainsi_table_seize(connection))
        return;
    char byte;
    bool begun = !server->local && connection->phase != CHAINSI_LINGERING &&
                 (!chainsi_table_is_idle(connection) ||
                  recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0);
    if (begun)
        chainsi_table_put_back(&server->table, connection);
    else
        chainsi_table_close(&server->table, connection);
}

bool chainsi_server_drain(chainsi_server *server, int64_t deadline_ns)
{
    if (!atomic_exchange(&server->draining, true))
        epoll_ctl(server->table.epoll, EPOLL_CTL_DEL, server->options.listen_fd, NULL);
    struct timespec until = { .tv_sec = deadline_ns / 1000000000,
                              .tv_nsec = deadline_ns % 1000000000 };
    for (;;) {
        pthread_mutex_lock(&server->lock);
        uint64_t seen = server->changes;
        pthread_mutex_unlock(&server->lock);
        chainsi_table_visit(&server->table, close_for_drain, server);
        int failed = 0;
        pthread_mutex_lock(&server->lock);
        bool done = !atomic_load(&server->active) && !atomic_load(&server->table.connections);
        while (!done && !failed && seen == server->changes)
            failed = deadline_ns == CHAINSI_NEVER
                         ? pthread_cond_wait(&server->changed, &server->lock)
                         : pthread_cond_timedwait(&server->changed, &server->lock, &until);
        pthread_mutex_unlock(&server->lock);
        if (done || failed)
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
    chainsi_table_done(&server->table);
    if (server->stop >= 0)
        close(server->stop);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server->workers);
    free(server);
}

void chainsi_server_read_counters(chainsi_server *server, chainsi_server_counters *counters)
{
    pthread_mutex_lock(&server->lock);
    size_t waiting = server->waiting;
    pthread_mutex_unlock(&server->lock);
    *counters = (chainsi_server_counters){
        .accepted = atomic_load(&server->accepted),
        .requests = atomic_load(&server->requests),
        .refused = atomic_load(&server->refused),
        .lost = atomic_load(&server->lost),
        .connections = (uint64_t)atomic_load(&server->table.connections),
        .in_flight = (uint64_t)atomic_load(&server->busy),
        .waiting = waiting,
    };
}
