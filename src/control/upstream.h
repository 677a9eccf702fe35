/* The calling side of the daemon: requests over kept connections, on libuv, to one Unix socket or to a set of TCP
 * endpoints that comes and goes.
 *
 * Of a set a call goes to the endpoint with the fewest of its calls, to each one in turn where several have as few, and
 * `slots` at a time at most; where none has room, or there is none, calls wait here, first come first served. An endpoint
 * that can't be reached is left alone for a pause that grows from 20 ms to 1 s, and the call goes to another one. Calls
 * ask the endpoint not to let them wait (rpc/grants.h): one that others fill says so, and the call goes elsewhere; where
 * all are filled by others it waits in one of them, so that it has its turn among theirs. Headers of a request that tell a
 * time are made right for when it is sent.
 *
 * Everything belongs to the thread of the loop, and nothing here blocks. */
#ifndef CHAINSI_CONTROL_UPSTREAM_H
#define CHAINSI_CONTROL_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "rpc/http.h"
#include "rpc/losses.h"

typedef struct chainsi_upstream chainsi_upstream;
typedef struct chainsi_upstream_call chainsi_upstream_call;

/* How a call ended. */
typedef enum chainsi_upstream_end {
    CHAINSI_UPSTREAM_ANSWERED,    /* the whole answer came */
    CHAINSI_UPSTREAM_NOT_STARTED, /* certainly not begun: may be sent again */
    CHAINSI_UPSTREAM_QUEUE_FULL, /* likewise: the kernel's queue of the socket, or the set's, is full */
    CHAINSI_UPSTREAM_LOST,       /* maybe begun; no answer, or a part of it, came */
    CHAINSI_UPSTREAM_EXHAUSTED, /* likewise: the process was killed, as it exceeded its memory limit */
    CHAINSI_UPSTREAM_PROTOCOL, /* what came is no HTTP */
    CHAINSI_UPSTREAM_UNREACHABLE, /* of a set: not begun, and no endpoint could be reached for long enough */
} chainsi_upstream_end;

typedef struct chainsi_upstream_events {
    /* The head of the answer; its slices live until this returns. */
    void (*on_head)(void *user, const chainsi_http_response *response);
    /* A part of its body, decoded; lives until this returns. */
    void (*on_body)(void *user, const char *data, size_t size);
    /* The last event of a call, which is gone when this returns. why: a sentence, "" if ANSWERED. */
    void (*on_end)(void *user, chainsi_upstream_end end, const char *why);
} chainsi_upstream_events;

/* The socket at path. Never NULL. */
chainsi_upstream *chainsi_upstream_new(uv_loop_t *loop, const char *path);
/* A set of endpoints that comes and goes; none at first. slots: calls that an endpoint gets at a time (0: one);
 * max_waiting: calls that may wait for one. Never NULL. */
chainsi_upstream *chainsi_upstream_new_set(uv_loop_t *loop, uint32_t slots, uint32_t max_waiting);
/* One TCP endpoint without bounds (probes of a pod): no call waits, and what can't be sent to it ends as NOT_STARTED; what
 * it answers is handed out whatever it is. host: numeric. Never NULL. */
chainsi_upstream *chainsi_upstream_new_address(uv_loop_t *loop, const char *host, uint16_t port);
/* Closes idle connections. Calls in flight go on; the memory lives until they have ended. Those that wait in a set end
 * from the loop, as after chainsi_upstream_send_away. NULL is allowed. */
void chainsi_upstream_free(chainsi_upstream *upstream);

typedef struct chainsi_endpoint {
    char host[64]; /* numeric, v4 or v6 */
    uint16_t port;
} chainsi_endpoint;
/* Of a set: from now on these, ready for calls, each one once. Those that are gone get no new call; calls that run there go
 * on. What is no address is left out. */
void chainsi_upstream_set_endpoints(chainsi_upstream *upstream, const chainsi_endpoint *endpoints,
                                    size_t count);
/* Of a set: told from the loop when calls have begun to wait, once for those of one turn of it. */
void chainsi_upstream_on_wait(chainsi_upstream *upstream, void (*on_wait)(void *user), void *user);
typedef struct chainsi_upstream_load {
    uint32_t
        running; /* calls that are with an endpoint, in its queue included; of others than sets all */
    uint32_t waiting; /* calls that wait here */
    uint64_t begun;   /* calls that an endpoint was found for, each one once; only of sets */
} chainsi_upstream_load;
chainsi_upstream_load chainsi_upstream_read_load(const chainsi_upstream *upstream);
/* From now on connections are TLS 1.3/1.2: client certificate, key, CA (PEM texts, copied; several authorities may stand
 * in one); name: what a server's certificate must be for (NULL: any name of that CA). Kept connections of before are closed
 * when idle. NULL certificate: plain again. False with a reason, and nothing has changed. Not for Unix sockets. */
bool chainsi_upstream_set_tls(chainsi_upstream *upstream, const char *certificate, const char *key,
                              const char *ca, const char *name, char *why, size_t why_size);
/* Of a set: calls that wait end as NOT_STARTED, from the loop, and so do all that come later. Those that are with an
 * endpoint go on. For others it does nothing. */
void chainsi_upstream_send_away(chainsi_upstream *upstream);

/* From now on it is told how every process ends that answers here. A call that is lost waits for that,
 * CHAINSI_LOSS_WAIT_MS at most, before it ends. */
void chainsi_upstream_promise_losses(chainsi_upstream *upstream);
/* One has ended. Calls may end within. */
void chainsi_upstream_note_loss(chainsi_upstream *upstream, chainsi_loss loss);

/* Sends a request: head is copied, body must live until the call has ended. fresh: over no kept
 * connection. Never NULL; events come from the loop, never before this returns. */
chainsi_upstream_call *chainsi_upstream_start(chainsi_upstream *upstream, const void *head,
                                              size_t head_size, const void *body, size_t body_size,
                                              bool fresh, const chainsi_upstream_events *events,
                                              void *user);
/* Whether the call has certainly not begun: it waits here, or its process, if there is one, has not read all of it. Over
 * TCP nobody knows what was read, so that it means that a part of it is still here. */
bool chainsi_upstream_is_unread(const chainsi_upstream_call *call);
/* Ends a call without further events, by closing its connection: so the callee learns. */
void chainsi_upstream_cancel(chainsi_upstream_call *call);
/* Holds events back, and lets them come again. */
void chainsi_upstream_pause(chainsi_upstream_call *call);
void chainsi_upstream_resume(chainsi_upstream_call *call);

#endif
