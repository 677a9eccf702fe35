/* A call from the first byte of its answer to its end.
 *
 * On a Unix socket the kernel tells whether a lost request had been read (it reports a reset when
 * the other end closed without reading all of it, and a broken pipe when it had closed before), so a
 * call that failed before any byte of the answer came is known to be not started, or not known. Over TCP
 * nothing tells: a call of which a byte may have left may have been started. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/handle.h"
#include "control/upstream_parts.h"

/* Whether the connection can have another call. */
static bool can_be_kept(const chainsi_upstream_call *call, chainsi_upstream_end end)
{
    const chainsi_peer *peer = call->peer;
    return end == CHAINSI_UPSTREAM_ANSWERED && call->response.head.keep_alive && !call->until_end &&
           !call->writing && !call->write_error && !peer->ended &&
           !peer->stream->write_queue_size && !call->upstream->closed;
}

/* Gives the connection back where it can be kept. */
static void leave(chainsi_upstream_call *call, chainsi_upstream_end end)
{
    chainsi_peer *peer = call->peer;
    bool keep = peer && can_be_kept(call, end);
    if (call->trip) {
        chainsi_set_leave(call, keep);
    } else if (keep && call->upstream->idle.count < CHAINSI_MAX_IDLE) {
        call->peer = NULL;
        chainsi_idle_put(&call->upstream->idle, peer);
    }
}

void chainsi_upstream_end_call(chainsi_upstream_call *call, chainsi_upstream_end end,
                               const char *why)
{
    if (call->trip && call->trip->refusal) {
        chainsi_set_refused(call, can_be_kept(call, end));
        return;
    }
    leave(call, end);
    call->events.on_end(call->user, end, why);
    chainsi_upstream_free_call(call);
}

static void on_time(uv_timer_t *timer)
{
    chainsi_upstream_call *call = timer->data;
    if (call)
        chainsi_upstream_end_call(call, call->failure, call->why);
}

void chainsi_upstream_fail_later(chainsi_upstream_call *call, chainsi_upstream_end end)
{
    call->failure = end;
    call->timer = chainsi_timer_new(call->upstream->loop, call);
    uv_timer_start(call->timer, on_time, 0, 0);
}

/* Losses. */

/* What was seen of its end, and how it came about. */
static void end_explained(chainsi_upstream_call *call, const char *how, const char *more)
{
    char why[sizeof call->why + 80];
    snprintf(why, sizeof why, "%s: %s%s", call->why, how, more);
    chainsi_upstream_end_call(call, CHAINSI_UPSTREAM_LOST, why);
}

/* Ends a lost call for the reason that is known by now; false: there is none. */
static bool explain(chainsi_upstream_call *call)
{
    chainsi_loss loss = chainsi_losses_find(call->upstream->losses, 0, call->lost_ns);
    char signal[32];
    if (loss == CHAINSI_LOSS_MEMORY)
        chainsi_upstream_end_call(
            call, CHAINSI_UPSTREAM_EXHAUSTED,
            "it exceeded its memory limit (.memory) while the call ran, and was killed");
    else if (loss == CHAINSI_LOSS_DRAINED)
        end_explained(call, "it had been told to end, and waits .drain_timeout_s for calls", "");
    else if (chainsi_loss_signal(loss, signal, sizeof signal))
        end_explained(call, "it was ended by ", signal);
    else if (loss != CHAINSI_LOSS_UNKNOWN)
        chainsi_upstream_end_call(call, CHAINSI_UPSTREAM_LOST, call->why);
    return loss != CHAINSI_LOSS_UNKNOWN;
}

/* The call is lost; how its process ended may have been told already, or comes soon. */
static void end_lost(chainsi_upstream_call *call, const char *why)
{
    chainsi_upstream *upstream = call->upstream;
    if (!upstream->losses) {
        chainsi_upstream_end_call(call, CHAINSI_UPSTREAM_LOST, why);
        return;
    }
    if (call->trip)
        chainsi_set_leave(call, false);
    else
        chainsi_peer_close(call->peer);
    call->peer = NULL;
    call->lost_ns = chainsi_now_ns();
    call->next_lost = upstream->lost;
    upstream->lost = call;
    call->failure = CHAINSI_UPSTREAM_LOST;
    snprintf(call->why, sizeof call->why, "%s", why);
    if (upstream->set)
        chainsi_set_go_on(upstream);
    if (explain(call))
        return;
    call->timer = chainsi_timer_new(upstream->loop, call);
    uv_timer_start(call->timer, on_time, CHAINSI_LOSS_WAIT_MS, 0);
}

void chainsi_upstream_note_loss(chainsi_upstream *upstream, chainsi_loss loss)
{
    if (!upstream->losses)
        return;
    chainsi_losses_note(upstream->losses, 0, loss, chainsi_now_ns());
    upstream->references++; /* the calls' may be the last */
    for (chainsi_upstream_call *call = upstream->lost; call;)
        call = explain(call) ? upstream->lost : call->next_lost; /* others may have gone with it */
    chainsi_upstream_release(upstream);
}

/* The connection to an endpoint of a set ended before the answer did. */
static void lose_trip(chainsi_upstream_call *call)
{
    char name[80], why[sizeof call->why], how[120];
    const chainsi_peer *peer = call->peer;
    /* By an alert of the handshake, which had ended for this side alone: nobody has read the request. */
    bool refused = peer->session && chainsi_secure_client_is_refused(peer->session);
    if (refused && !call->answer_began) {
        chainsi_secure_client_explain(peer->session, how, sizeof how);
        chainsi_set_miss(call, how);
        return;
    }
    if (!call->trip->sent && !call->answer_began) {
        if (peer->kept)
            chainsi_set_again(call);
        else
            chainsi_set_miss(call, "it closed the connection");
        return;
    }
    chainsi_member_write_name(call->trip->member, name, sizeof name);
    snprintf(why, sizeof why, "the connection to %s ended while %s", name,
             call->answer_began ? "it answered" : "the call ran");
    if (call->trip->refusal)
        chainsi_upstream_end_call(call, CHAINSI_UPSTREAM_NOT_STARTED, why);
    else
        end_lost(call, why);
}

/* The connection ended before the answer did. */
static void lose_call(chainsi_upstream_call *call, int error)
{
    if (call->trip) {
        lose_trip(call);
        return;
    }
    /* A write's failure is told after the end of what can be read, if both are found at once. Until then
     * its bytes count as queued; and a call of which a byte wasn't sent hasn't begun. */
    bool unsent = call->timer || uv_stream_get_write_queue_size(call->peer->stream);
    bool not_started = !call->answer_began &&
                       (unsent || error == UV_ECONNRESET || error == UV_EPIPE ||
                        call->write_error == UV_EPIPE || call->write_error == UV_ECONNRESET);
    if (not_started)
        chainsi_upstream_end_call(call, CHAINSI_UPSTREAM_NOT_STARTED,
                                  "the process ended before it read the call");
    else if (call->answer_began)
        end_lost(call, "the process ended while it answered");
    else
        end_lost(call, "the process ended while the call ran");
}

/* A kept connection may have been closed just before the request was written: both are told of
 * in one turn of the loop, and the end first, which alone would mean that the call may have run. */
static void await_write(chainsi_upstream_call *call, int error)
{
    call->read_error = error;
    chainsi_peer_read(call->peer, false);
}

void chainsi_upstream_note_written(chainsi_upstream_call *call, int status)
{
    /* What came of it is told by reading, which the failure of writing only explains. */
    call->writing = false;
    if (status < 0)
        call->write_error = status;
    if (call->read_error)
        lose_call(call, call->read_error);
    else if (!call->write_error && call->trip)
        chainsi_peer_go_on(call);
}

/* The answer. */

static void begin_body(chainsi_upstream_call *call)
{
    const chainsi_http_response *response = &call->response;
    call->in_body = true;
    if (response->status == 204 || response->status == 304)
        call->left = 0;
    else if (response->head.chunked)
        call->chunked = (chainsi_http_chunked){ .max_body = UINT64_MAX / 4 };
    else if (response->head.content_length >= 0)
        call->left = (uint64_t)response->head.content_length;
    else
        call->until_end = true;
}

/* Reads the head from what came. Returns how many of the size bytes belong to it; sets *failed. */
static size_t read_head(chainsi_upstream_call *call, const char *data, size_t size, bool *failed)
{
    size_t before = call->head.size;
    chainsi_buffer_add(&call->head, data, size);
    chainsi_http_refusal refusal;
    ptrdiff_t end = chainsi_http_parse_response((const char *)call->head.data, call->head.size,
                                                &call->scan, &call->response, &refusal);
    if (end == CHAINSI_HTTP_MORE)
        return size;
    if (end == CHAINSI_HTTP_REFUSED) {
        *failed = true;
        snprintf(call->why, sizeof call->why, "its answer is no HTTP: %s", refusal.reason);
        return size;
    }
    size_t used = (size_t)end - before;
    if (call->response.status < 200) {
        if (++call->interim > CHAINSI_MAX_INTERIM || call->response.status == 101) {
            *failed = true;
            snprintf(call->why, sizeof call->why, "its answer does not come to an end");
        }
    } else {
        begin_body(call);
        if (call->trip)
            call->trip->refusal = chainsi_set_read_refusal(call);
        if (!call->trip || !call->trip->refusal)
            call->events.on_head(call->user, &call->response);
    }
    call->head.size = 0;
    call->scan = (chainsi_http_scan){ 0 };
    return used;
}

/* Reads a part of the body. Whether it was the last one; sets *failed. */
static bool read_body(chainsi_upstream_call *call, char *data, size_t size, bool *failed)
{
    size_t decoded = size, consumed = size;
    bool done = false;
    if (call->response.head.chunked) {
        chainsi_http_refusal refusal;
        chainsi_http_progress progress =
            chainsi_http_decode_chunked(&call->chunked, data, size, &decoded, &consumed, &refusal);
        done = progress == CHAINSI_HTTP_BODY_DONE;
        if (progress == CHAINSI_HTTP_BODY_REFUSED) {
            *failed = true;
            snprintf(call->why, sizeof call->why, "its answer is no HTTP: %s", refusal.reason);
        }
    } else if (!call->until_end) {
        decoded = consumed = call->left < size ? (size_t)call->left : size;
        call->left -= decoded;
    }
    if (decoded && !*failed && !(call->trip && call->trip->refusal))
        call->events.on_body(call->user, data, decoded);
    if (consumed < size)
        call->response.head.keep_alive = false; /* more than was asked for */
    return done;
}

static bool body_is_complete(const chainsi_upstream_call *call)
{
    return call->in_body && !call->until_end && !call->response.head.chunked && !call->left;
}

void chainsi_upstream_take(chainsi_upstream_call *call, ssize_t got, char *data)
{
    if (got < 0) {
        if (got == UV_EOF && call->in_body && call->until_end)
            chainsi_upstream_end_call(call, CHAINSI_UPSTREAM_ANSWERED, "");
        else if (call->writing)
            await_write(call, (int)got);
        else
            lose_call(call, (int)got);
        return;
    }
    call->answer_began = true;
    size_t size = (size_t)got;
    bool failed = false, done = false;
    while (size && !call->in_body && !failed) {
        size_t used = read_head(call, data, size, &failed);
        data += used;
        size -= used;
    }
    if (!failed && call->in_body && size)
        done = read_body(call, data, size, &failed);
    if (failed)
        chainsi_upstream_end_call(call, CHAINSI_UPSTREAM_PROTOCOL, call->why);
    else if (done || body_is_complete(call))
        chainsi_upstream_end_call(call, CHAINSI_UPSTREAM_ANSWERED, "");
}
