/* The calling side as others see it: what there is to call, and the life of a call but for its way there
 * (upstream_set.c, upstream_peer.c) and its answer (upstream_answer.c). */
#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "control/handle.h"
#include "control/upstream_parts.h"

void chainsi_upstream_release(chainsi_upstream *upstream)
{
    if (--upstream->references)
        return;
    chainsi_address_done(&upstream->address);
    chainsi_set_free(upstream->set);
    free(upstream->losses);
    free(upstream);
}

static chainsi_upstream *new_upstream(uv_loop_t *loop)
{
    chainsi_upstream *upstream = chainsi_make(sizeof *upstream);
    upstream->loop = loop;
    upstream->references = 1;
    return upstream;
}

chainsi_upstream *chainsi_upstream_new(uv_loop_t *loop, const char *path)
{
    chainsi_upstream *upstream = new_upstream(loop);
    upstream->address.kind = CHAINSI_ADDRESS_UNIX;
    upstream->address.path = chainsi_copy_text(path);
    return upstream;
}

chainsi_upstream *chainsi_upstream_new_set(uv_loop_t *loop, uint32_t slots, uint32_t max_waiting)
{
    chainsi_upstream *upstream = new_upstream(loop);
    upstream->set = chainsi_set_new(loop, slots ? slots : 1, max_waiting);
    return upstream;
}

chainsi_upstream *chainsi_upstream_new_address(uv_loop_t *loop, const char *host, uint16_t port)
{
    chainsi_upstream *upstream = chainsi_upstream_new_set(loop, UINT32_MAX, 0);
    chainsi_endpoint endpoint = { .port = port };
    snprintf(endpoint.host, sizeof endpoint.host, "%s", host);
    upstream->set->single = true;
    chainsi_upstream_members_put(upstream, &endpoint, 1);
    return upstream;
}

void chainsi_upstream_free(chainsi_upstream *upstream)
{
    if (!upstream)
        return;
    upstream->closed = true;
    chainsi_idle_close(&upstream->idle, INT64_MAX);
    if (upstream->set) {
        chainsi_upstream_send_away(upstream);
        chainsi_upstream_members_put(upstream, NULL, 0);
    }
    chainsi_upstream_release(upstream);
}

void chainsi_upstream_promise_losses(chainsi_upstream *upstream)
{
    if (!upstream->losses)
        upstream->losses = chainsi_make(sizeof *upstream->losses);
}

static void free_trip(chainsi_trip *trip)
{
    if (!trip)
        return;
    chainsi_buffer_done(&trip->base);
    chainsi_buffer_done(&trip->head);
    free(trip);
}

void chainsi_upstream_free_call(chainsi_upstream_call *call)
{
    chainsi_upstream *upstream = call->upstream;
    chainsi_upstream_call **at = &upstream->lost;
    while (call->lost_ns && *at != call)
        at = &(*at)->next_lost;
    if (call->lost_ns)
        *at = call->next_lost;
    if (call->trip) {
        chainsi_set_leave_queue(call);
        chainsi_set_leave(call, false);
        chainsi_set_go_on(upstream);
    } else if (call->peer) {
        chainsi_peer_close(call->peer);
    }
    if (call->timer)
        chainsi_handle_close(call->timer);
    chainsi_buffer_done(&call->head);
    free_trip(call->trip);
    free(call);
    chainsi_upstream_release(upstream);
}

static void start_unix(chainsi_upstream_call *call, const void *head, size_t head_size,
                       const void *body, size_t body_size, bool fresh)
{
    chainsi_upstream *upstream = call->upstream;
    chainsi_peer *peer = fresh ? NULL : chainsi_idle_take(&upstream->idle);
    if (!peer)
        peer = chainsi_peer_open_unix(upstream, call);
    if (!peer)
        return;
    peer->call = call;
    call->peer = peer;
    int error = chainsi_peer_send(call, head, head_size, body, body_size);
    if (!error)
        return;
    call->write_error = error; /* the end of reading may be told of before */
    snprintf(call->why, sizeof call->why, "cannot send: %s", uv_strerror(error));
    chainsi_upstream_fail_later(call, CHAINSI_UPSTREAM_NOT_STARTED);
}

chainsi_upstream_call *chainsi_upstream_start(chainsi_upstream *upstream, const void *head,
                                              size_t head_size, const void *body, size_t body_size,
                                              bool fresh, const chainsi_upstream_events *events,
                                              void *user)
{
    chainsi_upstream_call *call = chainsi_make(sizeof *call);
    call->upstream = upstream;
    upstream->references++;
    call->events = *events;
    call->user = user;
    if (upstream->set)
        chainsi_set_start(call, head, head_size, body, body_size, fresh);
    else
        start_unix(call, head, head_size, body, body_size, fresh);
    return call;
}

bool chainsi_upstream_is_unread(const chainsi_upstream_call *call)
{
    int fd, unread;
    if (!call->peer)
        return !call->lost_ns;
    if (!call->peer->ready || call->writing || uv_stream_get_write_queue_size(call->peer->stream))
        return true;
    /* Of a Unix socket it is what the other end has not read; of TCP what hasn't been acknowledged. */
    return !call->trip && !uv_fileno((uv_handle_t *)call->peer->stream, &fd) &&
           !ioctl(fd, SIOCOUTQ, &unread) && unread > 0;
}

void chainsi_upstream_cancel(chainsi_upstream_call *call)
{
    chainsi_upstream_free_call(call);
}

void chainsi_upstream_pause(chainsi_upstream_call *call)
{
    call->paused = true;
    if (call->peer && call->peer->ready)
        chainsi_peer_read(call->peer, false);
}

void chainsi_upstream_resume(chainsi_upstream_call *call)
{
    call->paused = false;
    if (call->peer && call->peer->ready)
        chainsi_peer_read(call->peer, true);
}
