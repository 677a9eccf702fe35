/* What waits for a slot, and what a thread does with the one that it holds.
 *
 * A call waits in one of two places: in the kernel's queue of the shared listening socket, or, as a
 * connection that has something to be read or of which a whole call was read, in the list here,
 * which comes first. (Where other processes share the socket, what comes on a kept connection in HTTP is put
 * into the kernel's queue, too: rpc/handover.c.) Both hold to one rule: whoever finds no free slot says so first
 * (listener_left, waiting) and looks for a slot once more; whoever frees a slot frees it first and
 * looks at both afterwards (chainsi_queue_recheck). All four are sequentially consistent, so one of
 * the two sees the other:
 *
 *   finder: left = true;  take slot -> none      releaser: free slot;  left? -> no
 *   can't both come out like this, because one of the first halves is first.
 *
 * The slot that the releaser freed may be claimed by a caller between the two halves of the
 * finder. Then either the claim is started, and its thread is a releaser later on; or it is withdrawn,
 * or never arrives, and nobody here is told. So whoever gives up while there is a board starts the
 * timer of claims (CHAINSI_CLAIM_LOOK_MS), which looks again for as long as claims stand, or may,
 * and something waits: until every slot runs a call, whose thread will look. It takes back claims of processes
 * that are gone, and those older than CHAINSI_CLAIM_MS.
 *
 * A releaser who is told that something waits keeps its slot, answers, and runs that
 * (chainsi_queue_pass_place); otherwise it frees the slot before the answer leaves, so that the caller
 * who reads the answer finds its slot free. While all slots are held the listening socket stays
 * disarmed: it would only wake threads that can't accept. */
#include <poll.h>
#include <sys/timerfd.h>

#include "base/clock.h"
#include "rpc/serving.h"

static void watch_claims(chainsi_server *server)
{
    if (server->claims_timer < 0 || atomic_exchange(&server->claims_watched, true))
        return;
    struct itimerspec in = { .it_value.tv_nsec = CHAINSI_CLAIM_LOOK_MS * CHAINSI_NS_PER_MS };
    timerfd_settime(server->claims_timer, 0, &in, NULL);
}

bool chainsi_queue_is_waited(chainsi_server *server)
{
    return atomic_load(&server->waiting) || atomic_load(&server->listener_left);
}

/* What follows when the thread has got a slot. */
static void recall_if_full(chainsi_server *server)
{
    if (server->options.shared && server->local && atomic_load(&server->table.recallable) > 0 &&
        chainsi_places_full(&server->places))
        chainsi_table_close_idle(&server->table);
}

bool chainsi_queue_take_place(chainsi_worker *self)
{
    self->place = chainsi_places_take(&self->server->places);
    if (self->place == CHAINSI_NO_PLACE)
        return false;
    recall_if_full(self->server);
    return true;
}

bool chainsi_queue_start_claimed(chainsi_worker *self, const chainsi_frame *frame)
{
    chainsi_server *server = self->server;
    if (frame->call.slot == CHAINSI_FRAME_NO_SLOT)
        return self->place != CHAINSI_NO_PLACE || chainsi_queue_take_place(self);
    /* A claim that doesn't hold any more may have been withdrawn by a caller who sends the call
     * elsewhere: whatever slots are free here, it must not run. */
    if (self->place != CHAINSI_NO_PLACE) {
        /* It has one already; somebody else may need the other. */
        if (!chainsi_places_drop(&server->places, frame->call.slot, frame->call.claim))
            return false;
        if (chainsi_queue_is_waited(server))
            chainsi_worker_ring(server);
        return true;
    }
    self->place = chainsi_places_start(&server->places, frame->call.slot, frame->call.claim);
    if (self->place == CHAINSI_NO_PLACE)
        return false;
    recall_if_full(server);
    return true;
}

static bool append(chainsi_server *server, chainsi_connection *connection)
{
    chainsi_table_queue(connection);
    pthread_mutex_lock(&server->lock);
    bool room = !server->options.eager || (size_t)server->waiting < server->options.max_waiting;
    if (room) {
        connection->announced = server->options.on_read &&
                                connection->phase == CHAINSI_READ_WHOLE && !connection->wants;
        chainsi_serving_announce(server, connection->announced);
        connection->next = NULL;
        if (server->last_waiting)
            server->last_waiting->next = connection;
        else
            server->first_waiting = connection;
        server->last_waiting = connection;
        atomic_fetch_add(&server->waiting, 1);
    }
    pthread_mutex_unlock(&server->lock);
    if (!room)
        chainsi_table_unqueue(connection);
    return room;
}

static chainsi_connection *take_first(chainsi_server *server)
{
    if (!atomic_load(&server->waiting))
        return NULL;
    pthread_mutex_lock(&server->lock);
    chainsi_connection *connection = server->first_waiting;
    if (connection) {
        server->first_waiting = connection->next;
        if (!server->first_waiting)
            server->last_waiting = NULL;
        atomic_fetch_sub(&server->waiting, 1);
    }
    pthread_mutex_unlock(&server->lock);
    if (connection)
        chainsi_table_unqueue(connection);
    return connection;
}

void chainsi_queue_expect_nothing(chainsi_worker *self)
{
    chainsi_serving_announce(self->server, -(int)self->expects);
    self->expects = false;
}

void chainsi_queue_expect(chainsi_worker *self)
{
    if (!self->server->options.on_read || self->expects || !chainsi_queue_has_more(self))
        return;
    self->expects = true;
    chainsi_serving_announce(self->server, 1);
}

bool chainsi_queue_meet(chainsi_worker *self, bool announced)
{
    if (!self->expects)
        return announced;
    if (announced)
        chainsi_queue_expect_nothing(self);
    self->expects = false;
    return true;
}

void chainsi_queue_dismiss(chainsi_server *server, chainsi_connection *connection)
{
    chainsi_serving_announce(server, -(int)connection->announced);
    connection->announced = false;
}

/* Whether the caller of a request that has waited is gone. */
static bool has_hung_up(const chainsi_server *server, const chainsi_connection *connection)
{
    if (!server->local && connection->phase != CHAINSI_READ_WHOLE)
        return false; /* it may only have finished sending */
    struct pollfd watched = { .fd = connection->fd, .events = server->hang_up };
    return poll(&watched, 1, 0) > 0 && watched.revents &&
           !chainsi_handover_is_coming(server, connection);
}

/* Takes a connection out of the list, if it is there and its caller is gone. */
static bool unlink_if_gone(chainsi_server *server, chainsi_connection *connection)
{
    bool found = false;
    pthread_mutex_lock(&server->lock);
    chainsi_connection **at = &server->first_waiting, *before = NULL;
    while (*at && *at != connection) {
        before = *at;
        at = &before->next;
    }
    /* It may be another one by now, in the same memory. */
    if (*at && has_hung_up(server, connection)) {
        *at = connection->next;
        if (server->last_waiting == connection)
            server->last_waiting = before;
        atomic_fetch_sub(&server->waiting, 1);
        found = true;
    }
    pthread_mutex_unlock(&server->lock);
    return found;
}

void chainsi_queue_withdraw(chainsi_server *server, chainsi_connection *connection)
{
    /* Elsewhere it is found when its turn comes. Here callers withdraw all the time, and what nobody
     * waits for any more would count against max_waiting. */
    if (!server->grants || !unlink_if_gone(server, connection))
        return;
    chainsi_table_unqueue(connection);
    chainsi_queue_dismiss(server, connection);
    chainsi_table_close(&server->table, connection);
}

/* The connection that has waited longest and whose caller is still there. */
static chainsi_connection *take_waiting(chainsi_server *server)
{
    for (;;) {
        chainsi_connection *connection = take_first(server);
        if (!connection || !has_hung_up(server, connection))
            return connection;
        chainsi_queue_dismiss(server, connection);
        chainsi_table_close(&server->table, connection);
    }
}

chainsi_connection *chainsi_queue_admit(chainsi_worker *self, chainsi_connection *connection)
{
    chainsi_server *server = self->server;
    bool others_wait = atomic_load(&server->waiting);
    if (self->place != CHAINSI_NO_PLACE ? !others_wait
                                        : !others_wait && chainsi_queue_take_place(self))
        return connection;
    if (chainsi_handover_send(server, connection))
        return self->place == CHAINSI_NO_PLACE ? NULL : take_waiting(server);
    if (server->grants)
        chainsi_table_register(&server->table, connection); /* to be told when it is withdrawn */
    if (!append(server, connection))
        return connection; /* without a slot */
    /* Its end may have been told before it stood in the list, when its owner had read all that it would. */
    if (atomic_load(&connection->ended))
        chainsi_queue_withdraw(server, connection);
    if (self->place == CHAINSI_NO_PLACE && !chainsi_queue_take_place(self)) {
        watch_claims(server);
        return NULL;
    }
    return take_waiting(server);
}

bool chainsi_queue_has_more(chainsi_worker *self)
{
    chainsi_server *server = self->server;
    if (atomic_load(&server->waiting))
        return true;
    if (!atomic_load(&server->listener_left))
        return false;
    struct pollfd waiting = { .fd = server->options.listen_fd, .events = POLLIN };
    return poll(&waiting, 1, 0) > 0;
}

void chainsi_queue_free_place(chainsi_worker *self)
{
    chainsi_queue_expect_nothing(self);
    chainsi_places_free(&self->server->places, self->place, self->run_ns);
    self->place = CHAINSI_NO_PLACE;
    self->run_ns = -1;
}

void chainsi_queue_recheck(chainsi_worker *self)
{
    chainsi_server *server = self->server;
    if (atomic_load(&server->waiting)) {
        if (self->place != CHAINSI_NO_PLACE || chainsi_queue_take_place(self))
            return;
        watch_claims(server);
    }
    if (atomic_load(&server->listener_left) && atomic_exchange(&server->listener_left, false))
        chainsi_worker_arm_listener(server);
}

void chainsi_queue_leave_listener(chainsi_worker *self)
{
    chainsi_server *server = self->server;
    if (chainsi_places_full(&server->places)) {
        atomic_store(&server->listener_left, true);
        if (chainsi_places_full(&server->places) || !atomic_exchange(&server->listener_left, false))
            return;
    } else {
        atomic_store(&server->listener_left, false);
    }
    chainsi_worker_arm_listener(server);
}

bool chainsi_queue_take_for_listener(chainsi_worker *self)
{
    chainsi_server *server = self->server;
    if (chainsi_queue_take_place(self))
        return true;
    atomic_store(&server->listener_left, true);
    if (chainsi_queue_take_place(self))
        return true;
    watch_claims(server);
    return false;
}

void chainsi_queue_pass_place(chainsi_worker *self)
{
    chainsi_server *server = self->server;
    while (self->place != CHAINSI_NO_PLACE) {
        chainsi_connection *connection = take_waiting(server);
        if (!connection && atomic_load(&server->listener_left) &&
            (connection = chainsi_worker_accept(self)))
            chainsi_queue_leave_listener(self);
        if (connection) {
            chainsi_request_serve(self, connection, true);
            continue;
        }
        chainsi_queue_free_place(self);
        chainsi_queue_recheck(self);
    }
}

void chainsi_queue_check_claims(chainsi_worker *self)
{
    chainsi_server *server = self->server;
    atomic_store(&server->claims_watched, false);
    int64_t oldest_ns;
    chainsi_seat_revoke(&server->places.seat,
                        chainsi_now_ns() - CHAINSI_CLAIM_MS * CHAINSI_NS_PER_MS, &oldest_ns);
    if (!chainsi_queue_is_waited(server))
        return;
    if (oldest_ns != CHAINSI_NEVER)
        watch_claims(server);
    if (chainsi_queue_take_place(self))
        chainsi_queue_pass_place(self);
    else if (!chainsi_places_full(&server->places))
        watch_claims(
            server); /* a slot was claimed after the look at claims, and before the one for a slot */
}

void chainsi_queue_drain(chainsi_server *server)
{
    pthread_mutex_lock(&server->lock);
    chainsi_connection **at = &server->first_waiting, *unread = NULL;
    server->last_waiting = NULL;
    while (*at) {
        chainsi_connection *connection = *at;
        if (connection->phase == CHAINSI_READ_WHOLE && !connection->wants) {
            server->last_waiting = connection;
            at = &connection->next;
            continue;
        }
        *at = connection->next;
        connection->next = unread;
        unread = connection;
        atomic_fetch_sub(&server->waiting, 1);
    }
    pthread_mutex_unlock(&server->lock);
    while (unread) {
        chainsi_connection *connection = unread;
        unread = connection->next;
        chainsi_table_unqueue(connection);
        if (server->local || connection->wants)
            chainsi_handover_close(server, connection);
        else
            chainsi_table_put_back(&server->table, connection);
    }
}
