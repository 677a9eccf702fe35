/* Reading a connection and running its requests, one by one. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "rpc/bundle.h"
#include "rpc/parts.h"

/* Answers that are larger are sent while the slot is still held: their reader may be slow. */
enum { SMALL_ANSWER = 64 * 1024 };

/* ------------------------------------------------------------------------------------------------
 * running */

/* Sends the answer in the thread's buffers. */
static bool send_answer_within(chainsi_worker *self, chainsi_connection *connection,
                               const chainsi_server_response *response, chainsi_http_method method,
                               bool keep, int minor_version, int timeout_ms)
{
    bool sent = chainsi_answer_send(&self->answer, connection, response, method, keep,
                                    minor_version, timeout_ms);
    if (!sent)
        atomic_fetch_add(&self->server->lost, 1);
    return sent;
}

static bool send_answer(chainsi_worker *self, chainsi_connection *connection,
                        const chainsi_server_response *response, chainsi_http_method method,
                        bool keep, int minor_version)
{
    return send_answer_within(self, connection, response, method, keep, minor_version,
                              self->server->options.send_timeout_ms);
}

bool chainsi_request_refuse(chainsi_worker *self, chainsi_connection *connection, int status,
                            const char *message, bool keep)
{
    chainsi_server_response response = chainsi_answer_error(&self->answer, status, message);
    atomic_fetch_add(&self->server->refused, 1);
    return send_answer(self, connection, &response, CHAINSI_HTTP_OTHER, keep, 1);
}

/* What HTTP and frames have in common. *replaced: see chainsi_connection_body. */
static void fill_request(chainsi_worker *self, chainsi_connection *connection, char *replaced)
{
    chainsi_server *server = self->server;
    chainsi_server_request *request = &self->request;
    request->frame = NULL;
    request->body = chainsi_connection_body(connection, replaced);
    request->body_size = connection->body_size;
    request->fds = NULL;
    request->fd_count = 0;
    request->arena = &self->arena;
    request->fd = connection->fd;
    request->session = connection->session;
    request->hang_up = server->hang_up;
    request->cancelled = NULL;
    request->local = server->local || connection->direct;
    request->probe = false;
    request->announced = chainsi_queue_meet(self, connection->announced);
    connection->announced = false;
    request->received_ns = connection->received_ns;
    request->now_ns = 0;
}

void chainsi_request_end(chainsi_worker *self)
{
    const chainsi_server_options *options = &self->server->options;
    if (self->place != CHAINSI_NO_PLACE)
        chainsi_queue_expect(self);
    if (options->after)
        options->after(options->user, &self->request);
    chainsi_arena_reset(&self->arena);
    chainsi_answer_shrink(&self->answer);
}

/* Runs the whole request whose head is parsed. Whether the connection goes on. */
static bool run_request(chainsi_worker *self, chainsi_connection *connection, bool probe)
{
    chainsi_server *server = self->server;
    char replaced;
    fill_request(self, connection, &replaced);
    self->request.probe = probe;
    const chainsi_http_request *head = &self->request.head;
    chainsi_server_response response = chainsi_answer_begin(&self->answer, 200);
    atomic_fetch_add(&server->requests, 1);
    server->options.handler(server->options.user, &self->request, &response);
    self->run_ns = chainsi_now_ns() - connection->received_ns;
    /* Who reads how many slots are free finds the call's own among them, unless others wait for it. */
    const bool tells = server->grants && !probe && chainsi_grants_is_refusing(head);
    const bool frees = tells && !response.parts && !response.lingers &&
                       response.body->size <= SMALL_ANSWER && !chainsi_queue_has_more(self);
    if (frees)
        chainsi_queue_free_place(self);
    if (tells)
        chainsi_grants_add(response.headers, chainsi_lease_slots(server));
    bool keep = head->head.keep_alive && !response.close && !atomic_load(&server->draining);
    /* Without a slot nobody may hold the thread for long. */
    int timeout_ms = server->options.send_timeout_ms;
    if (frees && timeout_ms > CHAINSI_SOLE_SEND_MS)
        timeout_ms = CHAINSI_SOLE_SEND_MS;
    keep = send_answer_within(self, connection, &response, head->method, keep,
                              head->head.minor_version, timeout_ms) &&
           keep;
    chainsi_request_end(self);
    chainsi_connection_next(connection, replaced);
    if (frees)
        chainsi_queue_recheck(self);
    return keep;
}

/* Runs the call whose frame was read, in the thread's slot. Whether the connection goes on. */
static bool run_call(chainsi_worker *self, chainsi_connection *connection)
{
    chainsi_server *server = self->server;
    char replaced;
    fill_request(self, connection, &replaced);
    chainsi_server_request *request = &self->request;
    request->frame = &self->frame;
    int fds[CHAINSI_FRAME_MAX_ATTACHMENTS];
    request->fds = fds;
    request->fd_count = self->frame.head.attachments;
    chainsi_connection_take_attachments(connection, fds, request->fd_count);
    chainsi_server_response response = chainsi_answer_begin(&self->answer, 0);
    atomic_fetch_add(&server->requests, 1);
    server->options.handler(server->options.user, request, &response);
    self->run_ns = response.run_ns ? response.run_ns : chainsi_now_ns() - connection->received_ns;

    bool holds = response.lingers || response.body->size > SMALL_ANSWER ||
                 (response.parts && !chainsi_parts_have_room(response.parts)) ||
                 chainsi_queue_has_more(self);
    if (!holds)
        chainsi_queue_free_place(self);
    bool sent =
        chainsi_answer_send_frame(&self->answer, connection, &self->frame, &response,
                                  server->places.seat.incarnation, server->options.send_timeout_ms);
    if (!sent)
        atomic_fetch_add(&server->lost, 1);
    for (int i = 0; i < request->fd_count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    chainsi_request_end(self);
    chainsi_connection_next(connection, replaced);
    if (!holds)
        chainsi_queue_recheck(self);
    return sent && !response.close;
}

/* ------------------------------------------------------------------------------------------------
 * reading */

static void forget_deadline(chainsi_connection *connection)
{
    if (!connection->timed)
        return;
    connection->timed = false;
    atomic_store_explicit(&connection->deadline_ns, CHAINSI_NEVER, memory_order_relaxed);
}

/* Unless there is a limit already. */
static void limit_time(chainsi_connection *connection, int timeout_ms)
{
    if (atomic_load_explicit(&connection->deadline_ns, memory_order_relaxed) != CHAINSI_NEVER)
        return;
    connection->timed = true;
    atomic_store_explicit(&connection->deadline_ns,
                          chainsi_now_ns() + timeout_ms * CHAINSI_NS_PER_MS, memory_order_relaxed);
}

/* Lets go of a connection until epoll tells of it. Returns it if that has happened meanwhile. */
static chainsi_connection *let_go(chainsi_worker *self, chainsi_connection *connection)
{
    return chainsi_table_release(&self->server->table, connection) ? NULL : connection;
}

/* Nothing more has come: lets go of the connection until something does. Returns it if that has
 * happened meanwhile. */
static chainsi_connection *pause_reading(chainsi_worker *self, chainsi_connection *connection)
{
    chainsi_server *server = self->server;
    bool between = connection->phase == CHAINSI_READING_HEAD && !connection->size;
    if (between) {
        chainsi_connection_rest(connection, &self->spare);
        chainsi_table_set_idle(&server->table, connection, connection->received_ns);
    }
    if (connection->shaking)
        limit_time(connection, server->options.handshake_ms);
    else if (!between)
        limit_time(connection, server->options.request_timeout_ms);
    return let_go(self, connection);
}

/* After an answer: reads on only if something may be there. Nobody sends a next request before
 * reading the answer, except those who have sent it already. */
static chainsi_connection *go_on(chainsi_worker *self, chainsi_connection *connection, bool keep)
{
    if (!keep) {
        chainsi_table_close(&self->server->table, connection);
        return NULL;
    }
    return connection->size || !connection->drained ? connection : pause_reading(self, connection);
}

/* Answers a whole request in the server's own name, without running it. Whether the connection goes
 * on. */
static bool dismiss(chainsi_worker *self, chainsi_connection *connection,
                    const chainsi_server_response *response)
{
    const chainsi_http_head *head = &self->request.head.head;
    char replaced;
    chainsi_connection_body(connection, &replaced);
    bool keep = head->keep_alive && !atomic_load(&self->server->draining);
    keep = send_answer(self, connection, response, self->request.head.method, keep,
                       head->minor_version) &&
           keep;
    chainsi_connection_next(connection, replaced);
    return keep;
}

static bool refuse_to_wait(chainsi_worker *self, chainsi_connection *connection)
{
    chainsi_server_response response =
        chainsi_answer_error(&self->answer, 503, "no slot is free, and the call was not to wait");
    chainsi_grants_add(response.headers, chainsi_lease_slots(self->server));
    atomic_fetch_add(&self->server->not_started, 1);
    return dismiss(self, connection, &response);
}

static bool refuse_full(chainsi_worker *self, chainsi_connection *connection)
{
    chainsi_server_response response =
        chainsi_answer_error(&self->answer, 429, "too many calls wait for a slot");
    atomic_fetch_add(&self->server->refused, 1);
    return dismiss(self, connection, &response);
}

static bool grant(chainsi_worker *self, chainsi_connection *connection)
{
    chainsi_server_response response = chainsi_lease_grant(self, connection);
    return dismiss(self, connection, &response);
}

/* Whether a request over TCP must not wait here, though it isn't to be run now: what wants a slot of a server that drains,
 * and a call that is not to wait. Takes a slot for the latter if one is free, and sets *admitted. */
static bool goes_away(chainsi_worker *self, chainsi_connection *connection, bool *admitted)
{
    chainsi_server *server = self->server;
    const bool draining = atomic_load(&server->draining);
    if (chainsi_lease_use(self, connection))
        *admitted = true;
    if (connection->wants)
        return draining;
    if (*admitted || !chainsi_grants_is_refusing(&self->request.head))
        return false;
    if (draining || atomic_load(&server->waiting) ||
        (self->place == CHAINSI_NO_PLACE && !chainsi_queue_take_place(self)))
        return true;
    *admitted = true;
    return false;
}

/* A whole request: runs it, or has it wait. Returns the connection to go on with. *admitted: the thread's slot
 * is for this connection; what it says of the next comes back. */
static chainsi_connection *take_request(chainsi_worker *self, chainsi_connection *connection,
                                        bool *admitted)
{
    chainsi_server *server = self->server;
    const chainsi_server_options *options = &server->options;
    forget_deadline(connection);
    connection->wants = server->grants && chainsi_grants_is_want(&self->request.head);
    if (!connection->wants && options->probe && options->probe(options->user, &self->request.head))
        return go_on(self, connection, run_request(self, connection, true));
    if (server->grants && goes_away(self, connection, admitted)) {
        *admitted = false;
        return go_on(self, connection, refuse_to_wait(self, connection));
    }
    if (!*admitted && (options->eager || self->place == CHAINSI_NO_PLACE)) {
        chainsi_connection *first = chainsi_queue_admit(self, connection);
        *admitted = first != connection;
        if (*admitted)
            return first;
    }
    *admitted = false;
    bool keep;
    if (self->place == CHAINSI_NO_PLACE)
        keep = refuse_full(self, connection);
    else
        keep = connection->wants ? grant(self, connection) : run_request(self, connection, false);
    return go_on(self, connection, keep);
}

static bool send_not_started(chainsi_worker *self, chainsi_connection *connection)
{
    chainsi_server *server = self->server;
    atomic_fetch_add(&server->not_started, 1);
    return chainsi_answer_send_not_started(&self->answer, connection, &self->frame,
                                           server->places.seat.incarnation,
                                           server->options.send_timeout_ms);
}

static bool takes_items(const chainsi_frame *frame)
{
    return frame->head.kind == CHAINSI_FRAME_CALL &&
           (frame->head.flags & CHAINSI_FRAME_TAKES_ITEMS);
}

/* Whether the call comes alone: then it is run and answered here and now. (A bundle may not have
 * noted yet that its last answer has left. A call that takes items can't join it, and its caller has
 * read that answer, or harms itself alone.) */
static bool is_sole(const chainsi_connection *connection, const chainsi_frame *frame)
{
    return frame->head.kind == CHAINSI_FRAME_CALL && (frame->head.flags & CHAINSI_FRAME_SOLE) &&
           connection->size == connection->end &&
           (takes_items(frame) || !chainsi_bundle_is_busy(connection));
}

/* Whether a call has to wait for a slot like a plain request: it came by the queue, and its caller has
 * nowhere else to go. A caller that tries a connection that it has kept has: the queue. */
static bool has_to_wait(const chainsi_worker *self, const chainsi_connection *connection,
                        const chainsi_frame *frame)
{
    if (frame->call.slot != CHAINSI_FRAME_NO_SLOT)
        return false;
    return self->server->options.eager ||
           (self->place == CHAINSI_NO_PLACE && !connection->direct && !connection->answered);
}

/* A whole frame. Returns the connection to go on with; *admitted as of take_request. */
static chainsi_connection *take_frame(chainsi_worker *self, chainsi_connection *connection,
                                      bool *admitted)
{
    chainsi_frame *frame = &self->frame;
    const bool was_admitted = *admitted;
    *admitted = false;
    forget_deadline(connection);
    if (frame->head.kind == CHAINSI_FRAME_HANDOVER) {
        *admitted = was_admitted;
        return chainsi_handover_take(self, connection);
    }
    if ((frame->head.kind != CHAINSI_FRAME_CALL && frame->head.kind != CHAINSI_FRAME_CANCEL) ||
        (takes_items(frame) && !is_sole(connection, frame))) {
        chainsi_table_close(&self->server->table, connection); /* no caller sends that */
        return NULL;
    }
    if (frame->head.flags & CHAINSI_FRAME_KEEPS)
        connection->keeps = true;
    if (!is_sole(connection, frame))
        return chainsi_bundle_take(self, connection) ? go_on(self, connection, true)
                                                     : let_go(self, connection);
    if (!was_admitted && has_to_wait(self, connection, frame)) {
        chainsi_connection *first = chainsi_queue_admit(self, connection);
        *admitted = first != connection;
        if (*admitted)
            return first;
    }
    /* Else a caller without a board, who always has a next call, would hold up draining. */
    const bool turned_away = atomic_load(&self->server->draining) && connection->answered &&
                             frame->call.slot == CHAINSI_FRAME_NO_SLOT;
    bool keep;
    if (!turned_away && chainsi_queue_start_claimed(self, frame)) {
        keep = run_call(self, connection);
    } else {
        chainsi_queue_dismiss(self->server, connection);
        keep = send_not_started(self, connection);
        chainsi_connection_skip(connection, frame->head.attachments);
    }
    connection->answered = true;
    return go_on(self, connection, keep && !turned_away);
}

/* Drops what else comes, so that a caller that is still sending gets to read what it was told. Returns the connection
 * if it goes on like that. */
static chainsi_connection *linger(chainsi_worker *self, chainsi_connection *connection)
{
    chainsi_server *server = self->server;
    if (atomic_load(&server->draining) || shutdown(connection->fd, SHUT_WR)) {
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

/* Answers what was refused, and lingers. */
static chainsi_connection *refuse(chainsi_worker *self, chainsi_connection *connection,
                                  const chainsi_http_refusal *refusal)
{
    chainsi_server *server = self->server;
    if (!chainsi_request_refuse(self, connection, refusal->status, refusal->reason, false)) {
        chainsi_table_close(&server->table, connection);
        return NULL;
    }
    return linger(self, connection);
}

/* Who comes is not spoken with: has no TLS, or no certificate that is good here. What was said to him last, by the
 * handshake or in plain text, he gets to read. */
static chainsi_connection *turn_away(chainsi_worker *self, chainsi_connection *connection,
                                     bool plain)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
                               "Content-Length: 31\r\nConnection: close\r\n\r\n"
                               "this port speaks TLS (https://)";
    if (plain)
        (void)!send(connection->fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    return linger(self, connection);
}
/* Whether a slot has to be free before the connection is read. Plain HTTP: what can't run yet had
 * better stay in the socket, where it is certainly not started if this process dies. */
static bool needs_place(const chainsi_server *server, const chainsi_connection *connection)
{
    return !server->options.eager && connection->protocol != CHAINSI_FRAMES &&
           !connection->direct && connection->phase != CHAINSI_LINGERING &&
           connection->phase != CHAINSI_READ_WHOLE;
}

static void note_handshake(chainsi_server *server, chainsi_connection *connection)
{
    forget_deadline(connection);
    atomic_fetch_sub(&server->shaking, 1);
    atomic_fetch_add(&server->handshakes, 1);
    if (chainsi_tls_get_engine()->is_resumed(connection->session))
        atomic_fetch_add(&server->resumed, 1);
}

static chainsi_connection *read_once(chainsi_worker *self, chainsi_connection *connection,
                                     bool *admitted)
{
    chainsi_server *server = self->server;
    chainsi_reading reading = { .request = &self->request.head, .frame = &self->frame };
    chainsi_read_end end;
    chainsi_table_set_idle(&server->table, connection, CHAINSI_NEVER);
    if (connection->bundle && !chainsi_bundle_resume(self, connection)) {
        chainsi_queue_dismiss(server, connection);
        chainsi_table_close(&server->table, connection);
        return NULL;
    }
    /* Of several calls that come together each is sent back: see leaves_doubt in rpc/server.c. */
    const bool closes =
        atomic_load(&server->draining) && !chainsi_connection_takes_many(connection);
    if (closes && chainsi_bundle_is_busy(connection))
        return let_go(self, connection); /* draining ends it when its calls are answered */
    if (connection->phase == CHAINSI_READ_WHOLE) {
        chainsi_connection_parse(connection, &reading);
        /* It has waited. */
        end = connection->protocol == CHAINSI_FRAMES ? CHAINSI_READ_FRAME : CHAINSI_READ_REQUEST;
    } else if (closes && (server->local || connection->direct)) {
        chainsi_handover_close(server,
                               connection); /* unread: its caller knows that nothing started */
        *admitted = false;
        return NULL;
    } else if (connection->phase == CHAINSI_LINGERING) {
        end = chainsi_connection_drop(connection);
    } else {
        const bool shaking = connection->shaking;
        end = chainsi_connection_read(connection, server->options.max_body, &self->spare, &reading);
        if (shaking && !connection->shaking)
            note_handshake(server, connection);
    }
    if (end == CHAINSI_READ_REQUEST)
        return take_request(self, connection, admitted);
    if (end == CHAINSI_READ_FRAME)
        return take_frame(self, connection, admitted);
    *admitted = false;
    switch (end) {
    case CHAINSI_READ_INCOMPLETE:
        return pause_reading(self, connection);
    case CHAINSI_READ_REFUSED:
        return refuse(self, connection, &reading.refusal);
    case CHAINSI_READ_PLAIN:
    case CHAINSI_READ_STRANGER:
        return turn_away(self, connection, end == CHAINSI_READ_PLAIN);
    default:
        chainsi_table_close(&server->table, connection);
        return NULL;
    }
}

void chainsi_request_serve(chainsi_worker *self, chainsi_connection *connection, bool admitted)
{
    while (connection) {
        if (!admitted && needs_place(self->server, connection)) {
            chainsi_connection *first = chainsi_queue_admit(self, connection);
            admitted = true;
            if (first != connection) {
                connection = first;
                continue;
            }
        }
        connection = read_once(self, connection, &admitted);
    }
    if (atomic_load(&self->server->bundles.runnable))
        chainsi_bundle_work(self, CHAINSI_BELL_NONE);
}

void chainsi_request_hang_up(chainsi_worker *self, chainsi_connection *connection)
{
    chainsi_table_close(&self->server->table, connection);
}

void chainsi_request_close_late(chainsi_worker *self, chainsi_connection *connection)
{
    if (connection->phase != CHAINSI_LINGERING && connection->protocol != CHAINSI_FRAMES &&
        !connection->shaking)
        chainsi_request_refuse(self, connection, 408, "the request did not come to its end in time",
                               false);
    chainsi_table_close(&self->server->table, connection);
}
