/* The serving side. Threads share one epoll that holds the listening sockets and all connections; the
 * thread that has read a whole request takes a slot, runs it and writes the answer. So:
 *  - a call holds a slot from its last byte until its answer, and a thread with it;
 *  - a connection is accepted from the shared listening socket only by a thread that has a slot for
 *    it: what waits, waits in the kernel's queue, which other processes may share, and the first free
 *    slot takes it;
 *  - idle connections and incomplete requests hold memory, not slots.
 * Requests are HTTP, or, where the options say so, also frames (rpc/frame.h), whose calls may bring a
 * claim to a slot of the server's seat on a board (rpc/board.h). */
#ifndef CHAINSI_RPC_SERVER_H
#define CHAINSI_RPC_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "rpc/board.h"
#include "rpc/frame.h"
#include "rpc/http.h"
#include "rpc/tls.h"

typedef struct chainsi_server chainsi_server;

/* A request whose last byte has been read. It and all it points to belong to the thread that runs
 * it, until the handler's `after` has returned. */
typedef struct chainsi_server_request {
    const chainsi_frame *frame; /* a CALL; NULL: it came by HTTP, and head says what it is */
    chainsi_http_request head;
    char *body; /* mutable, a NUL behind it; never NULL */
    size_t body_size;
    int *fds; /* descriptors that came with a frame, the server's: closed afterwards, except
                 those whose place the handler sets to -1 */
    int fd_count;
    chainsi_arena *arena; /* for whatever the call needs; reset after the answer was sent */
    int fd; /* of the connection, to be watched only; -1: the connection carries other calls, and
               `cancelled` tells */
    chainsi_tls_session *session; /* over it; NULL: plain */
    short hang_up; /* the poll() events of fd that mean: the caller is gone. A Unix socket tells
                      that apart from a caller that has only finished sending; TCP does not */
    const atomic_bool *cancelled; /* set once the caller wants no answer; NULL: fd tells */
    bool local;                   /* it came over a Unix socket */
    bool probe;                   /* options.probe said so: it runs outside the slots */
    bool announced;               /* options.on_read was told of it */
    int64_t received_ns; /* when its last byte was read; in a server that accepts eagerly it may
                            have waited since */
    int64_t now_ns; /* the clock, read when this thread's call before this one ended, which was just
                            now; 0: it wasn't */
} chainsi_server_request;

/* The answer, to be filled by the handler: 200 (in HTTP) or 0 (in a frame) without a body at first. */
typedef struct chainsi_server_response {
    int status;               /* of HTTP; in a frame chainsi_frame_head's */
    const char *content_type; /* NULL: no such header. Must live until the answer was sent */
    chainsi_buffer *body;     /* the server's, reused, empty at first; sent as it is */
    chainsi_buffer *headers;  /* likewise: complete lines "Name: value\r\n"; not in a frame */
    bool close;               /* close the connection after the answer */
    bool lingers;             /* `after` may take long: the slot is held until it has returned */
    uint32_t retry_after_ms;  /* in a frame; 0: it doesn't say */
    int64_t run_ns; /* what the call took, for the choice among replicas; 0: the server measures */
    int64_t ended_ns;                       /* the clock, when it had ended; 0: it wasn't read */
    int fds[CHAINSI_FRAME_MAX_ATTACHMENTS]; /* go with a frame; the server closes them */
    int fd_count;
    struct chainsi_parts *parts; /* not NULL: the handler has sent parts by itself (rpc/parts.h): in
                                    HTTP all there is, in frames the items before the answer */
} chainsi_server_response;

/* Runs one request, on one of the server's threads; may block. */
typedef void (*chainsi_server_handler)(void *user, chainsi_server_request *request,
                                       chainsi_server_response *response);

typedef struct chainsi_server_options {
    int listen_fd; /* a listening socket; stays the caller's and must outlive the server. Made
                        non-blocking */
    /* Take frames as well as HTTP, over Unix sockets. One more thread than slots, so that somebody
     * listens while calls run. */
    bool frames;
    /* The listening Unix socket of the seat's incarnation, for frames alone, from processes of the same
     * user; the server's from now on, also if it doesn't start. direct is false without one. Beside a socket over
     * TCP, too (rpc/near.h): then callers of both have the same slots. */
    bool direct;
    int direct_fd;
    /* Over TCP: who comes must speak TLS and show a certificate of this identity's authorities. NULL: plain. */
    chainsi_tls_identity *identity;
    const chainsi_seat *seat; /* its slots are the server's; copied, and left when draining begins,
                                 or if the server doesn't start. NULL: none */
    int slots;                /* at least 1 */
    size_t max_body;          /* of a request, bytes; 0: CHAINSI_MAX_BODY */
    chainsi_server_handler handler;
    void *user; /* handed to all functions here */
    /* Called after the answer was sent (or could not be), before the arena is reset; NULL: nothing
     */
    void (*after)(void *user, chainsi_server_request *request);
    /* For a handler in which calls wait for each other: told of those that were read, or have a slot
     * and are about to be, and wait to be handed to it, before the first of them is: so many more, or,
     * below 0, that so many won't be. With it a thread is woken for each at once, as if every call
     * took long. Any of the server's threads, locked: it mustn't block. NULL: nothing */
    void (*on_read)(void *user, int count);
    /* Called after a request's `cancelled` was set, for whoever sleeps meanwhile; NULL: nothing. Any
     * of the server's threads. */
    void (*wake)(void *user);
    /* One more thread than slots, so that connections are accepted and requests are read while all
     * slots are busy: calls then wait inside the process, max_waiting of them (0:
     * CHAINSI_MAX_WAITING; more get 429). For TCP, whose queue drops silently; there callers may also
     * ask not to wait, or for a slot alone (rpc/grants.h). */
    bool eager;
    size_t max_waiting;
    /* Tells requests that take no slot (of an eager server), such as health probes; asked by any of
     * its threads. NULL: none */
    bool (*probe)(void *user, const chainsi_http_request *request);
    /* The TCP listening socket is nobody else's: draining takes what waits in its queue and ends it, so that callers
     * are refused, and go elsewhere, instead of waiting for nobody. */
    bool ends_listening;
    /* Limits of rpc/limits.h to be used instead where not 0. */
    int request_timeout_ms, send_timeout_ms, late_claim_ms, max_connections, lease_ms, handshake_ms,
        max_handshakes;
    /* Other processes accept from the Unix socket, too: what comes on a kept connection while all slots
     * are busy must not wait here, as one of theirs may be free. A connection that speaks HTTP goes
     * back to the socket's queue with the request that came on it (needs `frames`). Idle ones of
     * callers in frames are closed when the last slot is taken, which they notice without loss; not those
     * of callers that come with claims (CHAINSI_FRAME_KEEPS, and the direct ones). */
    bool shared;
} chainsi_server_options;

/* Starts the threads. NULL with a reason. The server's descriptors are CLOEXEC. */
chainsi_server *chainsi_server_start(const chainsi_server_options *options, char *why,
                                     size_t why_size);
/* Stops accepting and reading, closes idle connections (over TCP in a server that accepts eagerly once they
 * have been silent for CHAINSI_LEASE_MS: what is on its way then is answered), and waits until running (and, in an eager
 * server, waiting) calls have been answered, each with "Connection: close", or until the deadline.
 * What is not wholly read by then is not started, and calls whose slots had been claimed are sent back when
 * they come. Returns whether everything was answered. Any
 * thread but the server's own; a second call only waits. */
bool chainsi_server_drain(chainsi_server *server, int64_t deadline_ns);
/* Drains without a time limit, ends the threads and frees all. NULL is allowed. */
void chainsi_server_free(chainsi_server *server);

/* What happened so far, for /metrics. */
typedef struct chainsi_server_counters {
    uint64_t accepted;    /* connections */
    uint64_t requests;    /* handed to the handler, probes included */
    uint64_t refused;     /* answered by the server itself */
    uint64_t lost;        /* answers that could not be sent */
    uint64_t handshakes;  /* of TLS that were done, */
    uint64_t resumed;     /* of them short ones; */
    uint64_t strangers;   /* that failed, or took too long, or were too many at once */
    uint64_t connections; /* open now */
    uint64_t in_flight;   /* running now, in slots; or those are kept for them */
    uint64_t waiting;     /* requests that wait in this process for a slot now */
    uint64_t
        not_started; /* calls sent back unbegun: CHAINSI_FRAME_NOT_STARTED, or 503 to those that
                             were not to wait */
} chainsi_server_counters;
/* Any thread; each number is exact, but they are not of one instant. */
void chainsi_server_read_counters(chainsi_server *server, chainsi_server_counters *counters);

#endif
