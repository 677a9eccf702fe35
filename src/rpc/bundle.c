/* Calls that travel together.
 *
 *   read (owner)          take (a thread)       answered             flushed (a thread)
 *   ------------> queued ----------------> running ------> in outbox ------------------> gone
 *                   '----- CANCEL, no slot, draining: NOT_STARTED ----^
 *
 * Who reads appends; who has a thread's time takes. Before a thread runs a call it sees to it that
 * somebody looks after what is left (look_after_the_rest): if calls wait, one more thread is rung
 * for (`rung` says that one is on its way and has not looked yet); if answers wait and nobody is on
 * his way, it sends them itself. Whoever finds no call to take sends all answers. All three are
 * decided under the one lock, so an answer never sits behind a call that takes long, and a call never
 * waits though a slot and a thread are there; a run of short calls is answered in one write.
 *
 * Calls that as a rule take microseconds are run one after the other by the thread that read them, as that is
 * sooner over than another thread is awake. If it turns out otherwise, the timer (`timed`: it is
 * set) has a thread look after PATIENCE_NS, so that nothing waits longer than that for nothing.
 *
 * Sending never blocks: what the socket doesn't take stays in the outbox until epoll says that there
 * is room. One thread at a time sends for a bundle (`sending`); others only append.
 *
 * A bundle lives as long as its connection, the calls that were taken and whoever sends refer to it,
 * and owns the descriptor, whose number therefore isn't used again while somebody may send on it. */
#include "rpc/bundle.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "rpc/outbox.h"

enum {
    SPARE_CALLS = 64,           /* kept for reuse */
    SPARE_CAPACITY = 64 * 1024, /* with buffers up to this */
    STOLEN_SIZE = 16 * 1024,    /* larger frames take the connection's buffer along */
    /* Calls that take no longer than this together aren't worth waking another thread. */
    SHORT_NS = 50 * 1000,
    LONG_NS = 8 * SHORT_NS,
    /* As it can't be known beforehand, one is woken after this time. Setting a timer may cost
     * microseconds (in virtual machines), so it isn't taken back, and not set while it runs. */
    PATIENCE_NS = 250 * 1000,
};

typedef struct chainsi_call {
    chainsi_bundle *bundle; /* a reference, once it was taken */
    chainsi_frame frame;
    char *data; /* owned: request id and body, a NUL behind it */
    size_t capacity, body_at;
    int *fds; /* owned; NULL: none came */
    atomic_bool cancelled;
    int64_t received_ns;
    struct chainsi_call *next; /* in the queue, or of spare ones, or of running ones */
} chainsi_call;

struct chainsi_bundle {
    int fd; /* owned */
    int references;
    chainsi_connection *connection; /* NULL once it is closed */
    chainsi_call *first, *last;     /* that wait */
    int queued;
    size_t queued_bytes;
    chainsi_call *running;
    chainsi_outbox filling; /* appended to */
    chainsi_outbox leaving; /* being sent, by who has set `sending`, or when there is room again */
    bool sending;
    bool full;         /* the socket was: epoll tells when there is room */
    bool unread;       /* reading was stopped; it goes on when there is room for more */
    bool unsent;       /* something is in the outboxes; counted in under_way */
    bool room_watched; /* epoll tells of room as well */
    bool is_runnable, is_dirty;
    chainsi_bundle *next_runnable, *next_dirty;
};

void chainsi_bundles_init(chainsi_bundles *bundles)
{
    pthread_mutex_init(&bundles->lock, NULL);
}

static void free_call(chainsi_call *call)
{
    free(call->data);
    free(call->fds);
    free(call);
}

void chainsi_bundles_done(chainsi_bundles *bundles)
{
    while (bundles->spare) {
        chainsi_call *call = bundles->spare;
        bundles->spare = call->next;
        free_call(call);
    }
    pthread_mutex_destroy(&bundles->lock);
}

/* ------------------------------------------------------------------------------------------------
 * parts; all with the lock held */

static void *must(void *memory)
{
    if (!memory) {
        fprintf(stderr, "chains: out of memory\n");
        abort();
    }
    return memory;
}

static void close_all(const int *fds, int count)
{
    for (int i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static void unref(chainsi_bundle *bundle)
{
    if (--bundle->references)
        return;
    chainsi_outbox_done(&bundle->filling);
    chainsi_outbox_done(&bundle->leaving);
    close(bundle->fd);
    free(bundle);
}

static chainsi_call *make_call(chainsi_bundles *bundles)
{
    chainsi_call *call = bundles->spare;
    if (!call)
        return must(calloc(1, sizeof *call));
    bundles->spare = call->next;
    bundles->spare_count--;
    return call;
}

static void recycle(chainsi_bundles *bundles, chainsi_call *call)
{
    if (call->fds) {
        close_all(call->fds, call->frame.head.attachments);
        free(call->fds);
        call->fds = NULL;
    }
    if (bundles->spare_count >= SPARE_CALLS || call->capacity > SPARE_CAPACITY) {
        free_call(call);
        return;
    }
    call->next = bundles->spare;
    bundles->spare = call;
    bundles->spare_count++;
}

/* Counts a call of the bundle as answered, as far as its connection is concerned. */
static void count_down(chainsi_bundle *bundle)
{
    if (bundle->connection)
        atomic_fetch_sub(&bundle->connection->under_way, 1);
}

/* What is leaving counts until all of it has left: how far it is, only its sender knows. */
static bool is_congested(const chainsi_bundle *bundle)
{
    return bundle->filling.bytes.size + bundle->leaving.bytes.size > CHAINSI_MAX_OUTBOX;
}

static bool has_room(const chainsi_bundle *bundle)
{
    return bundle->queued < CHAINSI_MAX_BUNDLED &&
           bundle->queued_bytes < CHAINSI_MAX_BUNDLED_BYTES && !is_congested(bundle);
}

/* Has epoll tell of what there is to be read, and, if asked for, of room. */
static void watch(chainsi_server *server, chainsi_bundle *bundle, bool room)
{
    bundle->room_watched = room;
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET | (room ? EPOLLOUT : 0),
                                 .data.ptr = bundle->connection };
    epoll_ctl(server->table.epoll, EPOLL_CTL_MOD, bundle->fd, &event);
}

/* Has reading go on if it was stopped and there is room again. Frames that are in the process already
 * make no event; that the socket can be written to does. */
static void read_on(chainsi_server *server, chainsi_bundle *bundle)
{
    if (!bundle->unread || !bundle->connection || !has_room(bundle))
        return;
    bundle->unread = false;
    watch(server, bundle, true);
}

/* Notes whether answers are to be sent still. */
static void set_unsent(chainsi_bundle *bundle, bool unsent)
{
    if (bundle->unsent == unsent || !bundle->connection)
        return;
    bundle->unsent = unsent;
    atomic_fetch_add(&bundle->connection->under_way, unsent ? 1 : -1);
}

static void make_runnable(chainsi_bundles *bundles, chainsi_bundle *bundle)
{
    if (bundle->is_runnable || !bundle->first || is_congested(bundle))
        return;
    bundle->is_runnable = true;
    bundle->next_runnable = NULL;
    if (bundles->last_runnable)
        bundles->last_runnable->next_runnable = bundle;
    else
        bundles->first_runnable = bundle;
    bundles->last_runnable = bundle;
}

static void forget_runnable(chainsi_bundles *bundles, chainsi_bundle *bundle)
{
    if (!bundle->is_runnable)
        return;
    bundle->is_runnable = false;
    chainsi_bundle *before = NULL;
    for (chainsi_bundle **at = &bundles->first_runnable; *at != bundle; at = &(*at)->next_runnable)
        before = *at;
    if (before)
        before->next_runnable = bundle->next_runnable;
    else
        bundles->first_runnable = bundle->next_runnable;
    if (bundles->last_runnable == bundle)
        bundles->last_runnable = before;
}

static void make_dirty(chainsi_bundles *bundles, chainsi_bundle *bundle)
{
    set_unsent(bundle, true);
    if (bundle->is_dirty || bundle->sending || bundle->full)
        return; /* whoever sends sends this too */
    bundle->is_dirty = true;
    bundle->references++;
    bundle->next_dirty = bundles->dirty;
    bundles->dirty = bundle;
}

/* Takes a call out of the queue of its bundle. */
static void unqueue(chainsi_bundles *bundles, chainsi_call **at)
{
    chainsi_call *call = *at;
    chainsi_bundle *bundle = call->bundle;
    *at = call->next;
    if (bundle->last == call) {
        bundle->last = NULL;
        for (chainsi_call *left = bundle->first; left; left = left->next)
            bundle->last = left;
    }
    bundle->queued--;
    bundle->queued_bytes -= call->frame.head.body_size;
    atomic_fetch_sub(&bundles->runnable, 1);
    if (!bundle->first)
        forget_runnable(bundles, bundle);
}

static void append_not_started(chainsi_server *server, chainsi_bundle *bundle, uint32_t id)
{
    atomic_fetch_add(&server->not_started, 1);
    if (!bundle->connection)
        return;
    chainsi_frame frame = { .head = { .kind = CHAINSI_FRAME_NOT_STARTED, .id = id },
                            .answer = { .incarnation = server->places.seat.incarnation } };
    chainsi_outbox_add(&bundle->filling, &frame, NULL, NULL);
    make_dirty(&server->bundles, bundle);
}

/* Sends a call that waits back. */
static void send_back(chainsi_server *server, chainsi_call **at)
{
    chainsi_call *call = *at;
    chainsi_bundle *bundle = call->bundle;
    unqueue(&server->bundles, at);
    chainsi_serving_announce(server, -1);
    chainsi_places_drop(&server->places, call->frame.call.slot, call->frame.call.claim);
    append_not_started(server, bundle, call->frame.head.id);
    count_down(bundle);
    recycle(&server->bundles, call);
}

/* ------------------------------------------------------------------------------------------------
 * sending */

static void end_stall(chainsi_server *server, chainsi_bundle *bundle)
{
    if (!bundle->full || !bundle->connection)
        return;
    bundle->full = false;
    atomic_store_explicit(&bundle->connection->deadline_ns, CHAINSI_NEVER, memory_order_relaxed);
    watch(server, bundle, false);
}

static void begin_stall(chainsi_server *server, chainsi_bundle *bundle)
{
    if (!bundle->connection)
        return;
    if (!bundle->full) {
        bundle->full = true;
        atomic_store_explicit(&bundle->connection->deadline_ns,
                              chainsi_now_ns() +
                                  server->options.send_timeout_ms * CHAINSI_NS_PER_MS,
                              memory_order_relaxed);
        chainsi_table_set_timer(&server->table);
    }
    watch(server, bundle, true); /* tells at once if there is room by now */
}

/* Sends the answers of a bundle, with the lock held, which is released meanwhile. False: the
 * connection has failed. */
static bool flush(chainsi_server *server, chainsi_bundle *bundle)
{
    chainsi_bundles *bundles = &server->bundles;
    if (bundle->sending)
        return true;
    bundle->sending = true;
    int end = 1;
    while (end == 1 && bundle->connection) {
        if (chainsi_outbox_is_empty(&bundle->leaving)) {
            if (chainsi_outbox_is_empty(&bundle->filling))
                break;
            chainsi_outbox empty = bundle->leaving;
            bundle->leaving = bundle->filling;
            bundle->filling = empty;
        }
        pthread_mutex_unlock(&bundles->lock);
        end = chainsi_outbox_send(&bundle->leaving, bundle->fd);
        pthread_mutex_lock(&bundles->lock);
        if (end == 1)
            chainsi_outbox_drop(&bundle->leaving);
    }
    bundle->sending = false;
    if (end == 1)
        set_unsent(bundle, false);
    if (end == 0)
        begin_stall(server, bundle);
    else
        end_stall(server, bundle);
    make_runnable(bundles, bundle);
    read_on(server, bundle);
    return end >= 0;
}

static void flush_all(chainsi_server *server)
{
    chainsi_bundles *bundles = &server->bundles;
    while (bundles->dirty) {
        chainsi_bundle *bundle = bundles->dirty;
        bundles->dirty = bundle->next_dirty;
        bundle->is_dirty = false;
        /* If it fails the owner finds out: nobody reads at the other end any more. */
        if (!flush(server, bundle))
            shutdown(bundle->fd, SHUT_RDWR);
        unref(bundle);
    }
}

bool chainsi_bundle_resume(chainsi_worker *self, chainsi_connection *connection)
{
    chainsi_server *server = self->server;
    chainsi_bundle *bundle = connection->bundle;
    pthread_mutex_lock(&server->bundles.lock);
    bool good = !bundle->full || flush(server, bundle);
    if (bundle->room_watched && !bundle->full)
        watch(server, bundle, false);
    pthread_mutex_unlock(&server->bundles.lock);
    return good;
}

/* ------------------------------------------------------------------------------------------------
 * reading */

bool chainsi_bundle_is_busy(const chainsi_connection *connection)
{
    return connection->bundle && atomic_load(&connection->under_way);
}

static chainsi_bundle *make_bundle(chainsi_server *server, chainsi_connection *connection)
{
    chainsi_table_register(&server->table, connection);
    chainsi_bundle *bundle = must(calloc(1, sizeof *bundle));
    bundle->fd = connection->fd;
    bundle->references = 1;
    bundle->connection = connection;
    return bundle;
}

/* Moves the whole frame that was read into the call. */
static void fill_call(chainsi_call *call, chainsi_connection *connection,
                      const chainsi_frame *frame)
{
    char *start = connection->data + connection->start;
    size_t size = connection->head_size + connection->body_size;
    call->frame = *frame;
    call->received_ns = connection->received_ns;
    atomic_store_explicit(&call->cancelled, false, memory_order_relaxed);
    if (frame->head.attachments) {
        call->fds = must(calloc(frame->head.attachments, sizeof *call->fds));
        chainsi_connection_take_attachments(connection, call->fds, frame->head.attachments);
    }
    if (size > STOLEN_SIZE && connection->size == connection->end) {
        free(call->data);
        call->data = connection->data;
        call->capacity = connection->capacity;
        connection->data = NULL;
        connection->capacity = connection->start = connection->size = 0;
    } else {
        if (call->capacity < size + 1) {
            call->data = must(realloc(call->data, size + 1));
            call->capacity = size + 1;
        }
        memcpy(call->data, start, size);
        start = call->data;
        connection->start += connection->end;
        connection->size -= connection->end;
    }
    connection->phase = CHAINSI_READING_HEAD;
    call->body_at = (size_t)(start - call->data) + connection->head_size;
    call->data[call->body_at + connection->body_size] = 0;
    call->frame.request_id = call->data + call->body_at - frame->call.request_id_size;
}

/* Queues the call whose frame was read, with the lock held. */
static void add_call(chainsi_bundles *bundles, chainsi_bundle *bundle, const chainsi_frame *frame)
{
    chainsi_call *call = make_call(bundles);
    atomic_fetch_add(&bundle->connection->under_way, 1);
    fill_call(call, bundle->connection, frame);
    call->bundle = bundle;
    call->next = NULL;
    if (bundle->last)
        bundle->last->next = call;
    else
        bundle->first = call;
    bundle->last = call;
    bundle->queued++;
    bundle->queued_bytes += call->frame.head.body_size;
    atomic_fetch_add(&bundles->runnable, 1);
}

/* Drops a call, or tells it that nobody waits for it; whether that is to be told to whoever sleeps. With
 * the lock held. */
static bool cancel(chainsi_server *server, chainsi_bundle *bundle, uint32_t id)
{
    bool found = false;
    for (chainsi_call **at = &bundle->first; *at; at = &(*at)->next) {
        if ((*at)->frame.head.id == id) {
            send_back(server, at);
            break;
        }
    }
    for (chainsi_call *call = bundle->running; call; call = call->next)
        if (call->frame.head.id == id)
            atomic_store(&call->cancelled, found = true);
    return found;
}

/* Takes the CANCEL that was read, and those behind it: hundreds come together, and one waking is enough. */
static void take_cancels(chainsi_worker *self, chainsi_connection *connection)
{
    chainsi_server *server = self->server;
    bool found = false;
    pthread_mutex_lock(&server->bundles.lock);
    do {
        uint32_t id = self->frame.head.id;
        chainsi_connection_skip(connection, 0);
        found |= connection->bundle && cancel(server, connection->bundle, id);
    } while (chainsi_connection_has_frame(connection, CHAINSI_FRAME_CANCEL,
                                          server->options.max_body, &self->frame));
    pthread_mutex_unlock(&server->bundles.lock);
    if (found && server->options.wake)
        server->options.wake(server->options.user);
}

bool chainsi_bundle_take(chainsi_worker *self, chainsi_connection *connection)
{
    chainsi_server *server = self->server;
    chainsi_bundles *bundles = &server->bundles;
    if (self->frame.head.kind == CHAINSI_FRAME_CANCEL) {
        take_cancels(self, connection);
        return true;
    }
    if (!connection->bundle)
        connection->bundle = make_bundle(server, connection);
    chainsi_bundle *bundle = connection->bundle;
    bool room;
    int count = 0;
    pthread_mutex_lock(&bundles->lock);
    do {
        add_call(bundles, bundle, &self->frame);
        count++;
        room = has_room(bundle);
    } while (room && chainsi_connection_has_frame(connection, CHAINSI_FRAME_CALL,
                                                  server->options.max_body, &self->frame));
    chainsi_serving_announce(server, count);
    make_runnable(bundles, bundle);
    if (!room)
        bundle->unread = true;
    pthread_mutex_unlock(&bundles->lock);
    return room;
}

void chainsi_bundle_send_back(chainsi_server *server, chainsi_connection *connection)
{
    chainsi_bundle *bundle = connection->bundle;
    pthread_mutex_lock(&server->bundles.lock);
    while (bundle->first)
        send_back(server, &bundle->first);
    flush_all(server);
    pthread_mutex_unlock(&server->bundles.lock);
}

void chainsi_bundle_close(chainsi_server *server, chainsi_connection *connection)
{
    chainsi_bundles *bundles = &server->bundles;
    chainsi_bundle *bundle = connection->bundle;
    if (!bundle)
        return;
    if (connection->registered)
        epoll_ctl(server->table.epoll, EPOLL_CTL_DEL, bundle->fd, NULL);
    pthread_mutex_lock(&bundles->lock);
    if (bundle->unsent)
        atomic_fetch_add(&server->lost, 1);
    bundle->connection = NULL;
    while (bundle->first)
        send_back(server, &bundle->first);
    bool runs = bundle->running;
    for (chainsi_call *call = bundle->running; call; call = call->next)
        atomic_store(&call->cancelled, true);
    if (bundle->references > 1)
        shutdown(bundle->fd, SHUT_RDWR);
    unref(bundle);
    pthread_mutex_unlock(&bundles->lock);
    connection->bundle = NULL;
    connection->fd = -1;
    atomic_store(&connection->under_way, 0);
    if (runs && server->options.wake)
        server->options.wake(server->options.user);
}

/* ------------------------------------------------------------------------------------------------
 * running */

static chainsi_call *take_call(chainsi_server *server)
{
    chainsi_bundles *bundles = &server->bundles;
    while (bundles->first_runnable) {
        chainsi_bundle *bundle = bundles->first_runnable;
        if (is_congested(bundle)) {
            forget_runnable(bundles, bundle); /* until its answers have left */
            continue;
        }
        chainsi_call *call = bundle->first;
        unqueue(bundles, &bundle->first);
        bundle->references++;
        call->next = bundle->running;
        bundle->running = call;
        read_on(server, bundle);
        return call;
    }
    return NULL;
}

/* Has a thread look after a while, unless one is going to. */
static void ring_later(chainsi_server *server)
{
    if (server->bundles.timed)
        return;
    server->bundles.timed = true;
    struct itimerspec in = { .it_value.tv_nsec = PATIENCE_NS };
    timerfd_settime(server->patience, 0, &in, NULL);
}

/* Before a call is run, with the lock held: sees to it that others that wait are run and answers are
 * sent, though this one may take long. */
static void look_after_the_rest(chainsi_server *server)
{
    chainsi_bundles *bundles = &server->bundles;
    if (bundles->rung || (!bundles->first_runnable && !bundles->dirty))
        return;
    int64_t work_ns = bundles->usual_ns * (atomic_load(&bundles->runnable) + 1);
    if (bundles->usual_ns && work_ns < SHORT_NS && !server->options.on_read) {
        ring_later(server);
    } else if (bundles->first_runnable) {
        bundles->rung = true;
        chainsi_worker_ring(server);
    } else {
        flush_all(server);
    }
}

/* What a call takes on average lately. One that was interrupted mustn't count for too much. */
static void note_run(chainsi_bundles *bundles, int64_t run_ns)
{
    if (run_ns > LONG_NS)
        run_ns = LONG_NS;
    bundles->usual_ns =
        bundles->usual_ns ? bundles->usual_ns + (run_ns - bundles->usual_ns) / 16 : run_ns;
    if (bundles->usual_ns < 1)
        bundles->usual_ns = 1;
}

/* Gives the answer of a call to its bundle, with the lock held. */
static void append_answer(chainsi_server *server, const chainsi_call *call,
                          chainsi_server_response *response)
{
    chainsi_bundle *bundle = call->bundle;
    chainsi_outbox *box = &bundle->filling;
    if (!bundle->connection) {
        close_all(response->fds, response->fd_count);
        return;
    }
    chainsi_frame frame = { .head = { .kind = CHAINSI_FRAME_ANSWER,
                                      .id = call->frame.head.id,
                                      .status = (uint8_t)response->status,
                                      .attachments = (uint8_t)response->fd_count,
                                      .body_size = response->body->size },
                            .answer = { .incarnation = server->places.seat.incarnation,
                                        .retry_after_ms = response->retry_after_ms } };
    chainsi_outbox_add(box, &frame, response->body->data, response->fds);
    make_dirty(&server->bundles, bundle);
    if (box->bytes.size >= CHAINSI_OUTBOX_FLUSH)
        flush_all(server);
}

static void end_call(chainsi_server *server, chainsi_call *call)
{
    chainsi_bundle *bundle = call->bundle;
    chainsi_call **at = &bundle->running;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    count_down(bundle);
    recycle(&server->bundles, call);
    unref(bundle);
}

/* Runs a call that was taken, in the thread's slot; without the lock before and with it afterwards. */
static void run(chainsi_worker *self, chainsi_call *call)
{
    chainsi_server *server = self->server;
    chainsi_server_request *request = &self->request;
    request->frame = &call->frame;
    request->body = call->data + call->body_at;
    request->body_size = call->frame.head.body_size;
    request->fds = call->fds;
    request->fd_count = call->frame.head.attachments;
    request->arena = &self->arena;
    request->fd = -1;
    request->hang_up = 0;
    request->cancelled = &call->cancelled;
    request->local = true;
    request->probe = false;
    request->announced = chainsi_queue_meet(self, server->options.on_read != NULL);
    request->received_ns = call->received_ns;
    request->now_ns = self->now_ns;
    chainsi_server_response response = chainsi_answer_begin(&self->answer, 0);
    atomic_fetch_add(&server->requests, 1);
    server->options.handler(server->options.user, request, &response);
    int64_t run_ns = response.run_ns ? response.run_ns : chainsi_now_ns() - call->received_ns;
    self->run_ns = run_ns;
    self->now_ns = response.ended_ns;
    bool holds = response.lingers || chainsi_queue_has_more(self);
    if (response.lingers) {
        pthread_mutex_lock(&server->bundles.lock);
        append_answer(server, call, &response);
        flush_all(server);
        pthread_mutex_unlock(&server->bundles.lock);
    }
    if (holds)
        chainsi_queue_expect(self);
    else
        chainsi_queue_free_place(self);
    if (server->options.after)
        server->options.after(server->options.user, request);
    pthread_mutex_lock(&server->bundles.lock);
    note_run(&server->bundles, run_ns);
    if (!response.lingers)
        append_answer(server, call, &response);
    end_call(server, call);
}

/* The next call to be run, in the thread's slot; NULL: there is none. With the lock held, which is released
 * meanwhile, and afterwards if there is one. */
static chainsi_call *start_next(chainsi_worker *self)
{
    chainsi_server *server = self->server;
    chainsi_bundles *bundles = &server->bundles;
    for (chainsi_call *call; (call = take_call(server));) {
        look_after_the_rest(server);
        pthread_mutex_unlock(&bundles->lock);
        if (chainsi_queue_start_claimed(self, &call->frame))
            return call;
        pthread_mutex_lock(&bundles->lock);
        chainsi_serving_announce(server, -1);
        append_not_started(server, call->bundle, call->frame.head.id);
        end_call(server, call);
    }
    return NULL;
}

void chainsi_bundle_work(chainsi_worker *self, enum chainsi_bell bell)
{
    chainsi_server *server = self->server;
    chainsi_bundles *bundles = &server->bundles;
    self->now_ns = 0;
    pthread_mutex_lock(&bundles->lock);
    if (bell == CHAINSI_BELL_RUNG)
        bundles->rung = false;
    if (bell == CHAINSI_BELL_TIMED)
        bundles->timed = false;
    /* A slot that is still held after a call is for something that has waited longer. */
    for (chainsi_call *call; (call = start_next(self));) {
        run(self, call);
        chainsi_answer_shrink(&self->answer);
        chainsi_arena_reset(&self->arena);
        if (self->place != CHAINSI_NO_PLACE) {
            look_after_the_rest(server);
            break;
        }
        if (chainsi_queue_is_waited(server)) {
            pthread_mutex_unlock(&bundles->lock);
            chainsi_queue_recheck(self);
            self->now_ns = 0;
            pthread_mutex_lock(&bundles->lock);
        }
    }
    flush_all(server);
    pthread_mutex_unlock(&bundles->lock);
}
