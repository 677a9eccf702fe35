/* Replicas that couldn't be reached, while calls go to others: a connection is tried now and then, at the pace at which calls
 * come, and closed again. That it can be made is enough for the next call to go there, which finds out the rest; what fails
 * again is tried after twice the time. Where all others are busy, calls that wait ask such a replica as well (waiting.c). */
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "rpc/calling.h"

void chainsi_probe_end(chainsi_replica *replica)
{
    if (replica->probe_fd >= 0)
        close(replica->probe_fd);
    replica->probe_fd = -1;
}

static void look_by(chainsi_replicas *set, int64_t when_ns)
{
    if (!set->probe_ns || when_ns < set->probe_ns)
        set->probe_ns = when_ns;
}

void chainsi_probe_later(chainsi_replicas *set, chainsi_replica *replica, int64_t now_ns)
{
    int64_t pause_ms = CHAINSI_PROBE_FIRST_MS;
    for (int i = 1; i < replica->known.failures && pause_ms < CHAINSI_PROBE_LONGEST_MS; i++)
        pause_ms *= 2;
    if (pause_ms > CHAINSI_PROBE_LONGEST_MS)
        pause_ms = CHAINSI_PROBE_LONGEST_MS;
    chainsi_probe_end(replica);
    replica->probe_ns = now_ns + pause_ms * CHAINSI_NS_PER_MS;
    look_by(set, replica->probe_ns);
}

static void fail(chainsi_replicas *set, chainsi_replica *replica, int64_t now_ns)
{
    chainsi_choice_failed(&replica->known, now_ns);
    chainsi_probe_later(set, replica, now_ns);
}

static void begin(chainsi_replicas *set, chainsi_replica *replica, int64_t now_ns)
{
    const chainsi_address address = { .kind = CHAINSI_ADDRESS_HTTP,
                                      .host = replica->host,
                                      .port = replica->port };
    replica->probe_fd = chainsi_address_begin_connect(&address);
    if (replica->probe_fd < 0) {
        fail(set, replica, now_ns);
        return;
    }
    replica->probe_ns = now_ns + CHAINSI_CONNECT_MS * CHAINSI_NS_PER_MS;
    look_by(set, now_ns + CHAINSI_PROBE_LOOK_MS * CHAINSI_NS_PER_MS);
}

static void look(chainsi_replicas *set, chainsi_replica *replica, int64_t now_ns)
{
    struct pollfd made = { .fd = replica->probe_fd, .events = POLLOUT };
    if (poll(&made, 1, 0) <= 0) {
        if (now_ns >= replica->probe_ns)
            fail(set, replica, now_ns);
        else
            look_by(set, now_ns + CHAINSI_PROBE_LOOK_MS * CHAINSI_NS_PER_MS);
        return;
    }
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(replica->probe_fd, SOL_SOCKET, SO_ERROR, &error, &size);
    chainsi_probe_end(replica);
    if (error)
        fail(set, replica, now_ns);
    else
        replica->known.back = true;
}

void chainsi_probe_all(chainsi_replicas *set, int64_t now_ns)
{
    if (!set->probe_ns || now_ns < set->probe_ns)
        return;
    set->probe_ns = 0;
    for (int i = 0; i < set->used; i++) {
        chainsi_replica *replica = set->all[i];
        if (!chainsi_choice_is_away(&replica->known))
            chainsi_probe_end(replica); /* it was reached otherwise */
        else if (replica->probe_fd >= 0)
            look(set, replica, now_ns);
        else if (now_ns >= replica->probe_ns)
            begin(set, replica, now_ns);
        else
            look_by(set, replica->probe_ns);
    }
}
