/* The way of a call to one of several endpoints.
 *
 *   (start) --> waits ----> with an endpoint --> its answer, or its loss (upstream_answer.c)
 *                 ^               |
 *                 '---------------'   it couldn't be reached, or had no slot: not begun; as the first of those that wait
 *
 * Calls wait only while no endpoint has room: whoever makes room calls chainsi_set_go_on. Nothing here ends a call before
 * control is back in the loop, but for what the loop itself tells. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "control/handle.h"
#include "control/upstream_parts.h"
#include "rpc/grants.h"

enum {
    REACH_MS =
        10 * 1000,   /* for so long no endpoint could be reached: calls that wait are given up */
    BUSY_MS = 20,    /* one that others fill is the last choice for so long */
    LEAVES_MS = 200, /* one that takes no calls any more is left alone for so long */
    IDLE_MS = 60 * 1000, /* connections are kept for so long without a call */
    SWEEP_MS = 15 * 1000,
    MOST_CONNECTIONS = 1024, /* that are kept for one endpoint, or as many as it has slots */
};

/* Waiting calls. */

static void tell_wait(uv_timer_t *timer);

static void enter_queue(chainsi_upstream_call *call, bool as_first)
{
    chainsi_set *set = call->upstream->set;
    chainsi_trip *trip = call->trip;
    trip->queued = true;
    trip->previous = as_first ? NULL : set->last;
    trip->next = as_first ? set->first : NULL;
    *(trip->previous ? &trip->previous->trip->next : &set->first) = call;
    *(trip->next ? &trip->next->trip->previous : &set->last) = call;
    set->waiting++;
    if (set->wait && !uv_is_active((uv_handle_t *)set->wait))
        uv_timer_start(set->wait, tell_wait, 0, 0);
}

void chainsi_set_leave_queue(chainsi_upstream_call *call)
{
    chainsi_set *set = call->upstream->set;
    chainsi_trip *trip = call->trip;
    if (!trip->queued)
        return;
    *(trip->previous ? &trip->previous->trip->next : &set->first) = trip->next;
    *(trip->next ? &trip->next->trip->previous : &set->last) = trip->previous;
    trip->queued = false;
    set->waiting--;
}

/* Heads. */

/* Whether a line of a head is a header that is said anew whenever the call is sent. */
static bool is_anew(const char *line, size_t size, const char *name)
{
    size_t name_size = strlen(name);
    return size > name_size && line[name_size] == ':' && !strncasecmp(line, name, name_size);
}

/* Takes what it needs from the head as the caller wrote it. */
static void read_head(chainsi_trip *trip, bool as_it_is, const char *head, size_t size)
{
    static const char timeout[] = "X-Chains-Timeout-Ms";
    const char *end = head + size;
    trip->timeout_ms = -1;
    chainsi_buffer_reserve(&trip->base, size);
    if (as_it_is) {
        chainsi_buffer_add(&trip->base, head, size - 2);
        return;
    }
    while (head < end) {
        const char *stop = memchr(head, '\n', (size_t)(end - head));
        size_t line = (size_t)((stop ? stop + 1 : end) - head);
        if (is_anew(head, line, timeout))
            trip->timeout_ms = (int64_t)strtod(head + sizeof timeout, NULL);
        else if (line > 2 && !is_anew(head, line, CHAINSI_HTTP_MADE_US) &&
                 !is_anew(head, line, "X-Chains-Busy"))
            chainsi_buffer_add(&trip->base, head, line);
        head += line;
    }
}

static bool is_single(const chainsi_trip *trip)
{
    return trip->member->upstream->set->single;
}

void chainsi_trip_write_head(chainsi_trip *trip)
{
    chainsi_buffer *head = &trip->head;
    head->size = 0;
    chainsi_buffer_add(head, trip->base.data, trip->base.size);
    if (trip->timeout_ms >= 0) {
        int64_t passed_ms = (chainsi_now_ns() - trip->since_ns) / CHAINSI_NS_PER_MS;
        int64_t left_ms = trip->timeout_ms - passed_ms;
        chainsi_buffer_add_text(head, "X-Chains-Timeout-Ms: ");
        chainsi_buffer_add_number(head, (uint64_t)(left_ms > 0 ? left_ms : 0));
        chainsi_buffer_add_text(head, "\r\n");
    }
    if (!trip->waits && !is_single(trip))
        chainsi_buffer_add_text(head, CHAINSI_GRANTS_REFUSE);
    chainsi_buffer_add_text(head, "\r\n");
}

/* Endpoints. */

static void sweep(uv_timer_t *timer)
{
    chainsi_set *set = timer->data;
    int64_t before_ns = chainsi_now_ns() - IDLE_MS * CHAINSI_NS_PER_MS;
    size_t left = 0;
    if (!set)
        return;
    for (size_t i = 0; i < set->count; i++) {
        chainsi_idle_close(&set->members[i]->idle, before_ns);
        left += set->members[i]->idle.count;
    }
    if (!left)
        uv_timer_stop(timer);
}

/* Keeps the connection for the next call to its endpoint. */
static bool keep_peer(chainsi_set *set, chainsi_member *member, chainsi_peer *peer)
{
    uint32_t most = set->slots < MOST_CONNECTIONS ? set->slots : MOST_CONNECTIONS;
    if (member->gone || peer->generation != set->generation || member->idle.count >= most)
        return false;
    peer->idle_since_ns = chainsi_now_ns();
    chainsi_idle_put(&member->idle, peer);
    if (!uv_is_active((uv_handle_t *)set->sweep))
        uv_timer_start(set->sweep, sweep, SWEEP_MS, SWEEP_MS);
    return true;
}

void chainsi_set_leave(chainsi_upstream_call *call, bool keep)
{
    chainsi_set *set = call->upstream->set;
    chainsi_member *member = call->trip->member;
    chainsi_peer *peer = call->peer;
    if (!member)
        return;
    call->peer = NULL;
    call->trip->member = NULL;
    member->outstanding--;
    set->running--;
    if (keep) { /* a call that was answered has left room */
        member->busy_until_ns = 0;
        chainsi_member_note_success(member);
    }
    if (peer && !(keep && keep_peer(set, member, peer)))
        chainsi_peer_close(peer);
    chainsi_member_place(member, chainsi_now_ns());
    chainsi_member_free_if_over(member);
}

/* Nothing has been sent of it, or it was refused: it begins anew. */
static void reset(chainsi_upstream_call *call)
{
    chainsi_trip *trip = call->trip;
    trip->refusal = CHAINSI_REFUSAL_NONE;
    trip->sent = false;
    call->in_body = call->writing = call->answer_began = call->until_end = false;
    call->write_error = call->read_error = 0;
    call->head.size = 0;
    call->scan = (chainsi_http_scan){ 0 };
    call->interim = 0;
    call->left = 0;
}

static void note_miss(chainsi_member *member, const char *how)
{
    chainsi_set *set = member->upstream->set;
    char name[80];
    chainsi_member_write_name(member, name, sizeof name);
    snprintf(set->why, sizeof set->why, "%s cannot be reached: %s", name, how);
    if (!set->single)
        chainsi_member_note_failure(member, chainsi_now_ns());
}

/* Sends a call, which doesn't wait, to an endpoint. False: it couldn't be sent, and is with none. */
static bool send_to(chainsi_upstream_call *call, chainsi_member *member, bool waits)
{
    chainsi_set *set = call->upstream->set;
    chainsi_trip *trip = call->trip;
    trip->member = member;
    trip->waits = trip->waits || waits;
    member->outstanding++;
    set->running++;
    set->begun += !trip->begun;
    trip->begun = true;
    chainsi_member_place(member, chainsi_now_ns());
    int error;
    while (!trip->fresh && (call->peer = chainsi_idle_take(&member->idle))) {
        call->peer->call = call;
        if (call->paused)
            chainsi_peer_read(call->peer, false);
        error = chainsi_peer_send_trip(call);
        if (!error)
            return true;
        chainsi_peer_close(call->peer);
        call->peer = NULL;
    }
    error = chainsi_peer_connect(call);
    if (!error)
        return true;
    note_miss(member, uv_strerror(error));
    chainsi_set_leave(call, false);
    return false;
}

static void fail(chainsi_upstream_call *call, chainsi_upstream_end end, const char *why)
{
    snprintf(call->why, sizeof call->why, "%s", why);
    chainsi_upstream_fail_later(call, end);
}

static const char sent_away[] = "it is being stopped, and takes no calls any more";

/* A call that isn't begun, and is with no endpoint, is to be the next one. */
static void retry(chainsi_upstream_call *call)
{
    chainsi_set *set = call->upstream->set;
    reset(call);
    if (set->single)
        fail(call, CHAINSI_UPSTREAM_NOT_STARTED, set->why);
    else if (set->sends_away)
        fail(call, CHAINSI_UPSTREAM_NOT_STARTED, sent_away);
    else
        enter_queue(call, true);
    chainsi_set_go_on(call->upstream);
}

static void on_rest(uv_timer_t *timer);

void chainsi_set_go_on(chainsi_upstream *upstream)
{
    chainsi_set *set = upstream->set;
    while (set->first) {
        bool waits;
        chainsi_member *member = chainsi_upstream_members_choose(set, chainsi_now_ns(), &waits);
        if (!member)
            break;
        chainsi_upstream_call *call = set->first;
        chainsi_set_leave_queue(call);
        if (!send_to(call, member, waits))
            enter_queue(call, true);
    }
    if (!set->first) {
        uv_timer_stop(set->rest);
    } else if (set->resting.first) {
        int64_t left_ns = set->next_look_ns - chainsi_now_ns();
        uint64_t ms = left_ns > 0 ? (uint64_t)(left_ns / CHAINSI_NS_PER_MS) + 1 : 0;
        set->rest->data = upstream;
        uv_timer_start(set->rest, on_rest, ms, 0);
    }
}

/* Whether a call that waits has waited for long enough while no endpoint could be reached. */
static bool is_hopeless(const chainsi_set *set, const chainsi_upstream_call *call, int64_t now_ns)
{
    int64_t since_ns = call->trip->since_ns;
    if (!set->failing_since_ns)
        return false;
    if (since_ns < set->failing_since_ns)
        since_ns = set->failing_since_ns;
    return now_ns - since_ns >= set->reach_ms * CHAINSI_NS_PER_MS;
}

static void on_rest(uv_timer_t *timer)
{
    chainsi_upstream *upstream = timer->data;
    if (!upstream)
        return;
    chainsi_set *set = upstream->set;
    const int64_t now_ns = chainsi_now_ns();
    char why[sizeof set->why];
    snprintf(why, sizeof why, "%s", set->why);
    upstream->references++; /* the calls' may be the last */
    for (chainsi_upstream_call *call; (call = set->first) && is_hopeless(set, call, now_ns);) {
        chainsi_set_leave_queue(call);
        chainsi_upstream_end_call(call, CHAINSI_UPSTREAM_UNREACHABLE, why);
    }
    chainsi_set_go_on(upstream);
    chainsi_upstream_release(upstream);
}

/* Calls. */

void chainsi_set_start(chainsi_upstream_call *call, const void *head, size_t head_size,
                       const void *body, size_t body_size, bool fresh)
{
    chainsi_set *set = call->upstream->set;
    chainsi_trip *trip = chainsi_make(sizeof *trip);
    call->trip = trip;
    trip->fresh = fresh;
    trip->body = body;
    trip->body_size = body_size;
    trip->since_ns = chainsi_now_ns();
    read_head(trip, set->single, head, head_size);
    chainsi_set_go_on(call->upstream);
    bool waits = false;
    chainsi_member *member = NULL;
    if (!set->first && !set->sends_away)
        member = set->single && set->count
                     ? set->members[0]
                     : chainsi_upstream_members_choose(set, trip->since_ns, &waits);
    if (member && send_to(call, member, waits))
        return;
    if (member)
        retry(call);
    else if (set->sends_away)
        fail(call, CHAINSI_UPSTREAM_NOT_STARTED, sent_away);
    else if (set->single)
        fail(call, CHAINSI_UPSTREAM_NOT_STARTED, "its address is none");
    else if (set->waiting >= set->max_waiting)
        fail(call, CHAINSI_UPSTREAM_QUEUE_FULL, "as many calls wait as may");
    else
        enter_queue(call, false);
}

void chainsi_set_miss(chainsi_upstream_call *call, const char *how)
{
    note_miss(call->trip->member, how);
    chainsi_set_leave(call, false);
    retry(call);
}

void chainsi_set_again(chainsi_upstream_call *call)
{
    chainsi_set_leave(call, false);
    retry(call);
}

chainsi_refusal chainsi_set_read_refusal(const chainsi_upstream_call *call)
{
    const chainsi_http_response *response = &call->response;
    if ((response->status != 503 && response->status != 429) || is_single(call->trip) ||
        !chainsi_http_find(&response->head, CHAINSI_HTTP_NOT_STARTED))
        return CHAINSI_REFUSAL_NONE;
    if (response->status == 429)
        return CHAINSI_REFUSAL_FULL;
    return response->head.keep_alive ? CHAINSI_REFUSAL_BUSY : CHAINSI_REFUSAL_LEAVES;
}

/* How often a call is sent in vain before it waits: of a large one the way costs more than the waiting. */
static unsigned tries_of(const chainsi_trip *trip)
{
    return trip->body_size > CHAINSI_LARGE_TRY ? 1 : CHAINSI_TRIES;
}

void chainsi_set_refused(chainsi_upstream_call *call, bool keep)
{
    chainsi_upstream *upstream = call->upstream;
    chainsi_trip *trip = call->trip;
    chainsi_member *member = trip->member;
    const chainsi_refusal refusal = trip->refusal;
    const int64_t now_ns = chainsi_now_ns();
    bool waited = trip->waits, waits;
    trip->refusal = CHAINSI_REFUSAL_NONE;
    trip->refusals += refusal != CHAINSI_REFUSAL_LEAVES;
    if (refusal == CHAINSI_REFUSAL_LEAVES)
        member->rest_until_ns = now_ns + LEAVES_MS * CHAINSI_NS_PER_MS;
    bool gone = member->gone;
    chainsi_set_leave(call, keep);
    if (!gone && refusal != CHAINSI_REFUSAL_LEAVES) {
        member->busy_until_ns = now_ns + BUSY_MS * CHAINSI_NS_PER_MS;
        chainsi_member_place(member, now_ns);
    }
    const chainsi_member *other = chainsi_upstream_members_choose(upstream->set, now_ns, &waits);
    bool others = other && !waits && trip->refusals < tries_of(trip);
    if (refusal == CHAINSI_REFUSAL_FULL && !others) {
        chainsi_set_go_on(upstream);
        chainsi_upstream_end_call(call, CHAINSI_UPSTREAM_QUEUE_FULL,
                                  "as many calls wait in its processes as may");
        return;
    }
    /* It has waited, and was refused all the same: at the pace of those that can't be reached. */
    if (refusal == CHAINSI_REFUSAL_BUSY && waited && !gone) {
        member->rest_until_ns = now_ns + LEAVES_MS * CHAINSI_NS_PER_MS;
        chainsi_member_place(member, now_ns);
    }
    trip->waits = trip->waits || !others;
    retry(call);
}

/* Life. */

static void tell_wait(uv_timer_t *timer)
{
    chainsi_set *set = timer->data;
    if (set && set->on_wait && set->waiting)
        set->on_wait(set->user);
}

chainsi_set *chainsi_set_new(uv_loop_t *loop, uint32_t slots, uint32_t max_waiting)
{
    chainsi_set *set = chainsi_make(sizeof *set);
    set->slots = slots;
    set->max_waiting = max_waiting;
    set->reach_ms = REACH_MS;
    set->next_look_ns = INT64_MAX;
    set->rest = chainsi_timer_new(loop, NULL);
    set->sweep = chainsi_timer_new(loop, set);
    uv_unref((uv_handle_t *)set->sweep);
    return set;
}

void chainsi_set_free(chainsi_set *set)
{
    if (!set)
        return;
    chainsi_upstream_members_free(set);
    chainsi_handle_close(set->rest);
    chainsi_handle_close(set->sweep);
    chainsi_handle_close(set->wait);
    chainsi_secure_client_free(set->tls);
    free(set);
}

void chainsi_upstream_on_wait(chainsi_upstream *upstream, void (*on_wait)(void *user), void *user)
{
    chainsi_set *set = upstream->set;
    if (!set)
        return;
    if (!set->wait)
        set->wait = chainsi_timer_new(upstream->loop, set);
    set->on_wait = on_wait;
    set->user = user;
}

void chainsi_upstream_set_endpoints(chainsi_upstream *upstream, const chainsi_endpoint *endpoints,
                                    size_t count)
{
    if (!upstream->set || upstream->set->single)
        return;
    chainsi_upstream_members_put(upstream, endpoints, count);
    chainsi_set_go_on(upstream);
}

chainsi_upstream_load chainsi_upstream_read_load(const chainsi_upstream *upstream)
{
    const chainsi_set *set = upstream->set;
    if (!set)
        return (chainsi_upstream_load){
            .running = (uint32_t)(upstream->references - !upstream->closed),
        };
    return (chainsi_upstream_load){
        .running = set->running,
        .waiting = set->waiting,
        .begun = set->begun,
    };
}

void chainsi_upstream_send_away(chainsi_upstream *upstream)
{
    chainsi_set *set = upstream->set;
    if (!set)
        return;
    set->sends_away = true;
    for (chainsi_upstream_call *call; (call = set->first);) {
        chainsi_set_leave_queue(call);
        fail(call, CHAINSI_UPSTREAM_NOT_STARTED, sent_away);
    }
}

bool chainsi_upstream_set_tls(chainsi_upstream *upstream, const char *certificate, const char *key,
                              const char *ca, const char *name, char *why, size_t why_size)
{
    chainsi_set *set = upstream->set;
    chainsi_secure_client *tls = NULL;
    if (!set) {
        snprintf(why, why_size, "a Unix socket needs no TLS");
        return false;
    }
    if (certificate) {
        tls = chainsi_secure_client_new(certificate, key, ca, name, why, why_size);
        if (!tls)
            return false;
    }
    chainsi_secure_client_free(set->tls);
    set->tls = tls;
    set->generation++;
    for (size_t i = 0; i < set->count; i++) {
        chainsi_idle_close(&set->members[i]->idle, INT64_MAX);
        chainsi_secure_ticket_done(&set->members[i]->ticket);
    }
    return true;
}
