/* The calling side of the daemon: requests to one Unix socket over kept connections, on libuv.
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
    CHAINSI_UPSTREAM_QUEUE_FULL,  /* likewise: the kernel's queue of the socket is full */
    CHAINSI_UPSTREAM_LOST,        /* maybe begun; no answer, or a part of it, came */
    CHAINSI_UPSTREAM_EXHAUSTED, /* likewise: the process was killed, as it exceeded its memory limit */
    CHAINSI_UPSTREAM_PROTOCOL, /* what came is no HTTP */
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
/* Closes idle connections. Calls in flight go on; the memory lives until they have ended. NULL is
 * allowed. */
void chainsi_upstream_free(chainsi_upstream *upstream);

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
/* Ends a call without further events, by closing its connection: so the callee learns. */
void chainsi_upstream_cancel(chainsi_upstream_call *call);
/* Holds events back, and lets them come again. */
void chainsi_upstream_pause(chainsi_upstream_call *call);
void chainsi_upstream_resume(chainsi_upstream_call *call);

#endif
