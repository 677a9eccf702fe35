/* The serving side of rpc/grants.h: slots that are kept for a connection whose call is to come.
 *
 * A lease is a slot that no thread holds. It is the connection's from the answer to its want until
 * one of three takes it, by compare-and-swap of leased_until_ns, so that it is given back once:
 *  - the thread that has read the connection's next request, which then holds the slot;
 *  - whoever closes the connection;
 *  - the timer, when its time is over.
 * The last two free the slot and then look whether something waits, as all who free one (rpc/queue.c);
 * as who closes may be no thread of the server, it rings for one. */
#include <sys/timerfd.h>

#include "base/clock.h"
#include "rpc/grants.h"
#include "rpc/serving.h"

enum { NO_LEASE = 0 };

bool chainsi_lease_is_held(const chainsi_connection *connection)
{
    return atomic_load(&connection->leased_until_ns) != NO_LEASE;
}

static bool take(chainsi_connection *connection)
{
    return atomic_exchange(&connection->leased_until_ns, NO_LEASE) != NO_LEASE;
}

static void give_back(chainsi_server *server, int place)
{
    chainsi_places_free(&server->places, place, -1);
    if (chainsi_queue_is_waited(server))
        chainsi_worker_ring(server);
}

static void set_timer(chainsi_server *server, int64_t after_ns)
{
    if (atomic_exchange(&server->leases_watched, true))
        return;
    struct itimerspec in = { .it_value = { .tv_sec = after_ns / 1000000000,
                                           .tv_nsec = after_ns % 1000000000 + 1 } };
    timerfd_settime(server->leases_timer, 0, &in, NULL);
}

chainsi_grants_slots chainsi_lease_slots(chainsi_server *server)
{
    int total = server->places.count;
    int running = atomic_load(&server->places.running);
    int left = atomic_load(&server->waiting) || running > total ? 0 : total - running;
    return (chainsi_grants_slots){ .free = (uint32_t)left, .total = (uint32_t)total };
}

bool chainsi_lease_use(chainsi_worker *self, chainsi_connection *connection)
{
    if (!take(connection))
        return false;
    const int place = atomic_load(&connection->leased_place);
    if (self->place != CHAINSI_NO_PLACE)
        give_back(self->server, place);
    else
        self->place = place;
    return true;
}

chainsi_server_response chainsi_lease_grant(chainsi_worker *self, chainsi_connection *connection)
{
    chainsi_server *server = self->server;
    const int64_t lease_ns = server->options.lease_ms * CHAINSI_NS_PER_MS;
    chainsi_queue_expect_nothing(self); /* whichever thread reads it, it is announced then */
    atomic_store(&connection->leased_place, self->place);
    self->place = CHAINSI_NO_PLACE;
    atomic_store(&connection->leased_until_ns, chainsi_now_ns() + lease_ns);
    set_timer(server, lease_ns);
    chainsi_server_response response = chainsi_answer_begin(&self->answer, 200);
    chainsi_grants_add(response.headers, chainsi_lease_slots(server));
    return response;
}

void chainsi_lease_end(chainsi_server *server, chainsi_connection *connection)
{
    const int place = atomic_load(&connection->leased_place);
    if (take(connection))
        give_back(server, place);
}

typedef struct expiry {
    chainsi_server *server;
    int64_t now_ns, next_ns;
} expiry;

static void end_if_over(chainsi_connection *connection, void *user)
{
    expiry *its = user;
    int64_t until_ns = atomic_load(&connection->leased_until_ns);
    const int place =
        atomic_load(&connection->leased_place); /* of that lease, if it is one still */
    if (until_ns == NO_LEASE)
        return;
    if (until_ns > its->now_ns) {
        if (until_ns < its->next_ns)
            its->next_ns = until_ns;
    } else if (atomic_compare_exchange_strong(&connection->leased_until_ns, &until_ns, NO_LEASE)) {
        give_back(its->server, place);
    }
}

void chainsi_lease_begin_drain(chainsi_server *server)
{
    const int64_t lease_ns = server->options.lease_ms * CHAINSI_NS_PER_MS;
    atomic_store(&server->idle_until_ns, chainsi_now_ns() + lease_ns);
    set_timer(server, lease_ns);
}

void chainsi_lease_check(chainsi_worker *self)
{
    chainsi_server *server = self->server;
    atomic_store(&server->leases_watched, false);
    expiry its = { .server = server, .now_ns = chainsi_now_ns(), .next_ns = CHAINSI_NEVER };
    int64_t idle_until_ns = atomic_load(&server->idle_until_ns);
    if (idle_until_ns > its.now_ns)
        its.next_ns = idle_until_ns;
    chainsi_table_visit(&server->table, end_if_over, &its);
    if (its.next_ns != CHAINSI_NEVER)
        set_timer(server, its.next_ns - its.now_ns);
}
