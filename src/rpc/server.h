/* The serving side. Threads, as many as there are slots, share one epoll that holds the listening
 * socket and all connections; the thread that has read a whole request runs it and writes the
 * answer. So:
 *  - a slot is a thread, and the handler's time is the slot's time;
 *  - a connection is accepted only by a free thread: what waits, waits in the kernel's queue of the
 *    listening socket, which other processes may share, and the first free thread takes it;
 *  - idle connections and incomplete requests hold memory, not slots. */
#ifndef CHAINSI_RPC_SERVER_H
#define CHAINSI_RPC_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "rpc/http.h"

typedef struct chainsi_server chainsi_server;

/* A request whose last byte has been read. It and all it points to belong to the thread that runs
 * it, until the handler's `after` has returned. */
typedef struct chainsi_server_request {
    chainsi_http_request head;
    char *body; /* mutable, a NUL behind it; never NULL */
    size_t body_size;
    chainsi_arena *arena; /* for whatever the call needs; reset after the answer was sent */
    int fd;               /* of the connection, to be watched only */
    short hang_up; /* the poll() events of fd that mean: the caller is gone. A Unix socket tells
                      that apart from a caller that has only finished sending; TCP does not */
    bool local;    /* it came over a Unix socket */
    bool probe;    /* options.probe said so: it runs outside the slots */
    int64_t received_ns; /* when its last byte was read; in a server that accepts eagerly it may
                            have waited since */
} chainsi_server_request;

/* The answer, to be filled by the handler: 200 without a body at first. */
typedef struct chainsi_server_response {
    int status;
    const char *content_type; /* NULL: no such header. Must live until the answer was sent */
    chainsi_buffer *body;     /* the server's, reused, empty at first; sent as it is */
    chainsi_buffer *headers;  /* likewise: complete lines "Name: value\r\n" */
    bool close;               /* close the connection after the answer */
} chainsi_server_response;

/* Runs one request, on one of the server's threads; may block. */
typedef void (*chainsi_server_handler)(void *user, chainsi_server_request *request,
                                       chainsi_server_response *response);

typedef struct chainsi_server_options {
    int listen_fd;   /* a listening socket; stays the caller's and must outlive the server. Made
                        non-blocking */
    int slots;       /* at least 1 */
    size_t max_body; /* of a request, bytes; 0: CHAINSI_MAX_BODY */
    chainsi_server_handler handler;
    void *user; /* handed to all functions here */
    /* Called after the answer was sent (or could not be), before the arena is reset; NULL: nothing
     */
    void (*after)(void *user, chainsi_server_request *request);
    /* One more thread than slots, so that connections are accepted and requests are read while all
     * slots are busy: calls then wait inside the process, max_waiting of them (0:
     * CHAINSI_MAX_WAITING; more get 429). For TCP, whose queue drops silently. */
    bool eager;
    size_t max_waiting;
    /* Tells requests that take no slot (of an eager server), such as health probes; asked by any of
     * its threads. NULL: none */
    bool (*probe)(void *user, const chainsi_http_request *request);
    /* Limits of rpc/limits.h to be used instead where not 0. */
    int request_timeout_ms, send_timeout_ms, max_connections;
    /* Close idle Unix connections when the last slot is taken, so that their callers' next call
     * goes to the shared listening socket and finds a free slot of another process, instead of
     * waiting here. The caller's client notices without loss. */
    bool recall_idle;
} chainsi_server_options;

/* Starts the threads. NULL with a reason. The server's descriptors are CLOEXEC. */
chainsi_server *chainsi_server_start(const chainsi_server_options *options, char *why,
                                     size_t why_size);
/* Stops accepting and reading, closes idle connections, and waits until running (and, in an eager
 * server, waiting) calls have been answered, each with "Connection: close", or until the deadline.
 * What is not wholly read by then is not started. Returns whether everything was answered. Any
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
    uint64_t connections; /* open now */
    uint64_t in_flight;   /* running now, in slots */
    uint64_t waiting;     /* whole requests that wait for a slot (eager) now */
} chainsi_server_counters;
/* Any thread; each number is exact, but they are not of one instant. */
void chainsi_server_read_counters(chainsi_server *server, chainsi_server_counters *counters);

#endif
