/* Who owns a connection: see the drawing in rpc/table.h. Structs come in chunks that are never moved nor
 * freed while threads run. */
#include "rpc/table.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"

enum connection_state {
    FREE,
    OWNED,
    TOLD,
    WAITING,
    QUEUED,
};

bool chainsi_table_init(chainsi_table *table)
{
    pthread_mutex_init(&table->lock, NULL);
    table->epoll = epoll_create1(EPOLL_CLOEXEC);
    table->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return table->epoll >= 0 && table->timer >= 0;
}

void chainsi_table_done(chainsi_table *table)
{
    for (int i = 0; i < table->chunk_count; i++)
        free(table->chunks[i]);
    if (table->epoll >= 0)
        close(table->epoll);
    if (table->timer >= 0)
        close(table->timer);
    pthread_mutex_destroy(&table->lock);
}

static bool change_state(chainsi_connection *connection, int from, int to)
{
    return atomic_compare_exchange_strong(&connection->state, &from, to);
}

bool chainsi_table_seize(chainsi_connection *connection)
{
    return change_state(connection, WAITING, OWNED);
}

bool chainsi_table_claim(chainsi_connection *connection)
{
    for (;;) {
        if (change_state(connection, WAITING, OWNED))
            return true;
        if (change_state(connection, OWNED, TOLD))
            return false;
        int state = atomic_load(&connection->state);
        if (state != WAITING && state != OWNED)
            return false;
    }
}

void chainsi_table_queue(chainsi_connection *connection)
{
    atomic_store(&connection->state, QUEUED);
}

void chainsi_table_unqueue(chainsi_connection *connection)
{
    atomic_store(&connection->state, OWNED);
}

bool chainsi_table_is_idle(const chainsi_connection *connection)
{
    return atomic_load_explicit(&connection->idle_since_ns, memory_order_relaxed) !=
               CHAINSI_NEVER &&
           !atomic_load(&connection->under_way);
}

void chainsi_table_set_idle(chainsi_table *table, chainsi_connection *connection, int64_t since_ns)
{
    atomic_store_explicit(&connection->idle_since_ns, since_ns, memory_order_relaxed);
    bool recallable =
        since_ns != CHAINSI_NEVER && connection->protocol == CHAINSI_FRAMES && !connection->keeps;
    if (connection->recallable == recallable)
        return;
    connection->recallable = recallable;
    atomic_fetch_add(&table->recallable, recallable ? 1 : -1);
}

void chainsi_table_close(chainsi_table *table, chainsi_connection *connection)
{
    chainsi_table_set_idle(table, connection, CHAINSI_NEVER);
    atomic_store_explicit(&connection->deadline_ns, CHAINSI_NEVER, memory_order_relaxed);
    if (table->closing)
        table->closing(table->user, connection);
    chainsi_connection_close(connection);
    pthread_mutex_lock(&table->lock);
    atomic_store(&connection->state, FREE);
    connection->next = table->free_ones;
    table->free_ones = connection;
    pthread_mutex_unlock(&table->lock);
    atomic_fetch_sub(&table->connections, 1);
}

void chainsi_table_close_handed(chainsi_table *table, chainsi_connection *connection)
{
    if (connection->registered)
        epoll_ctl(table->epoll, EPOLL_CTL_DEL, connection->fd, NULL);
    chainsi_table_close(table, connection);
}

void chainsi_table_set_timer(chainsi_table *table)
{
    if (atomic_exchange(&table->timer_armed, true))
        return;
    int tick_ms = table->tick_ms;
    struct itimerspec in = { .it_value = { .tv_sec = tick_ms / 1000,
                                           .tv_nsec = tick_ms % 1000 * CHAINSI_NS_PER_MS } };
    timerfd_settime(table->timer, 0, &in, NULL);
}

static int watch(chainsi_table *table, int operation, chainsi_connection *connection)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = connection };
    return epoll_ctl(table->epoll, operation, connection->fd, &event);
}

bool chainsi_table_register(chainsi_table *table, chainsi_connection *connection)
{
    if (!connection->registered)
        connection->registered = !watch(table, EPOLL_CTL_ADD, connection);
    return connection->registered;
}

bool chainsi_table_release(chainsi_table *table, chainsi_connection *connection)
{
    if (atomic_load_explicit(&connection->deadline_ns, memory_order_relaxed) != CHAINSI_NEVER)
        chainsi_table_set_timer(table);
    if (!chainsi_table_register(table, connection)) {
        /* No memory or too many watches: it can't be told of any more. */
        chainsi_table_close(table, connection);
        return true;
    }
    if (change_state(connection, OWNED, WAITING))
        return true;
    atomic_store(&connection->state, OWNED);
    return false;
}

chainsi_connection *chainsi_table_take(chainsi_table *table)
{
    pthread_mutex_lock(&table->lock);
    chainsi_connection *connection = table->free_ones;
    if (!connection && table->chunk_count < CHAINSI_TABLE_CHUNKS) {
        chainsi_connection *chunk = calloc(CHAINSI_TABLE_CHUNK, sizeof *chunk);
        if (!chunk)
            abort();
        table->chunks[table->chunk_count++] = chunk;
        for (int i = 0; i < CHAINSI_TABLE_CHUNK; i++) {
            chunk[i].fd = -1;
            atomic_init(&chunk[i].deadline_ns, CHAINSI_NEVER);
            atomic_init(&chunk[i].idle_since_ns, CHAINSI_NEVER);
            chunk[i].next = table->free_ones;
            table->free_ones = &chunk[i];
        }
        connection = table->free_ones;
    }
    if (connection) {
        table->free_ones = connection->next;
        atomic_store(&connection->state, OWNED);
        atomic_fetch_add(&table->connections, 1);
    }
    pthread_mutex_unlock(&table->lock);
    return connection;
}

void chainsi_table_visit(chainsi_table *table, void (*visit)(chainsi_connection *, void *),
                         void *user)
{
    for (int i = 0;; i++) {
        pthread_mutex_lock(&table->lock);
        chainsi_connection *chunk = i < table->chunk_count ? table->chunks[i] : NULL;
        pthread_mutex_unlock(&table->lock);
        if (!chunk)
            return;
        for (int j = 0; j < CHAINSI_TABLE_CHUNK; j++)
            visit(&chunk[j], user);
    }
}

void chainsi_table_put_back(chainsi_table *table, chainsi_connection *connection)
{
    while (!chainsi_table_release(table, connection))
        watch(table, EPOLL_CTL_MOD, connection); /* tells of what is there once more */
}

void chainsi_table_rouse(chainsi_table *table, chainsi_connection *connection)
{
    if (connection->registered)
        watch(table, EPOLL_CTL_MOD, connection);
    chainsi_table_put_back(table, connection);
}

static void find_oldest(chainsi_connection *connection, void *user)
{
    chainsi_connection **oldest = user;
    if (atomic_load(&connection->state) != WAITING || !chainsi_table_is_idle(connection))
        return;
    if (!*oldest ||
        atomic_load(&connection->idle_since_ns) < atomic_load(&(*oldest)->idle_since_ns))
        *oldest = connection;
}

static void close_if_idle(chainsi_connection *connection, void *user)
{
    chainsi_table *table = user;
    if (!chainsi_table_is_idle(connection) || !change_state(connection, WAITING, OWNED))
        return;
    if (chainsi_table_is_idle(connection)) /* still */
        chainsi_table_close(table, connection);
    else
        chainsi_table_put_back(table, connection);
}

static void close_if_recallable(chainsi_connection *connection, void *user)
{
    chainsi_table *table = user;
    if (!chainsi_table_is_idle(connection) || !change_state(connection, WAITING, OWNED))
        return;
    if (chainsi_table_is_idle(connection) && connection->recallable)
        chainsi_table_close(table, connection);
    else
        chainsi_table_put_back(table, connection);
}

bool chainsi_table_close_oldest(chainsi_table *table)
{
    chainsi_connection *oldest = NULL;
    chainsi_table_visit(table, find_oldest, &oldest);
    if (!oldest)
        return false;
    close_if_idle(oldest, table);
    return true;
}

void chainsi_table_close_idle(chainsi_table *table)
{
    chainsi_table_visit(table, close_if_recallable, table);
}
