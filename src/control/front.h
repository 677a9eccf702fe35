/* The serving side of the front door: listeners, and connections of clients on libuv, whose requests
 * become exchanges (control/exchange.h). Everything belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_FRONT_H
#define CHAINSI_CONTROL_FRONT_H

#include <uv.h>

#include "control/exchange.h"
#include "control/secure.h"

typedef struct chainsi_front chainsi_front;

typedef struct chainsi_front_options {
    /* The most bytes that the body of this request may have; asked when its head is complete. */
    size_t (*max_body)(void *user, const chainsi_http_request *request);
    /* A request is there: to be answered now or later, once. */
    void (*on_request)(void *user, chainsi_exchange *exchange);
    /* The connection speaks frames (rpc/frame.h) instead of HTTP; data begins with the preface. Returns
     * false while more has to come, else true with what to answer: it is sent, and the connection is
     * closed once the caller has had time to read it. NULL: frames are refused as bad HTTP. */
    bool (*on_frames)(void *user, const char *data, size_t size, chainsi_buffer *answer);
    /* After chainsi_front_finish: the last connection is closed. */
    void (*on_finished)(void *user);
    void *user;
    /* A folder for large bodies, not owned; NULL: they are held in memory. */
    const char *spool_folder;
    /* TLS on what chainsi_front_open accepts; not owned; NULL: plain. */
    const chainsi_secure *secure;
    /* Connections in all (never more than the descriptors that the process may have allow), and from one
     * client; 0: those of limits.h. The latter counts on TCP alone. */
    size_t max_connections, max_connections_of_one;
} chainsi_front_options;

/* A front without a listener. */
chainsi_front *chainsi_front_new(uv_loop_t *loop, const chainsi_front_options *options);
/* Accepts from a listening TCP socket; a copy of fd is taken. 0, or a negative libuv error. */
int chainsi_front_open(chainsi_front *front, int fd);
/* Accepts from a listening Unix socket, too (a copy of fd is taken), until the returned handle is
 * given to chainsi_front_close_listener. NULL if that fails. */
uv_pipe_t *chainsi_front_listen_unix(chainsi_front *front, int fd);
void chainsi_front_close_listener(uv_pipe_t *listener);
/* Stops listening and closes idle connections; answers from now on say "Connection: close". */
void chainsi_front_stop(chainsi_front *front);
/* Ends what is left: answers in flight are sent for at most a second, all else is cut. */
void chainsi_front_finish(chainsi_front *front);
/* Calls visit for every exchange that is being answered; it may cancel it. */
void chainsi_front_visit(chainsi_front *front,
                         void (*visit)(void *user, chainsi_exchange *exchange), void *user);
/* After on_finished, or if nothing was ever accepted. NULL is allowed. */
void chainsi_front_free(chainsi_front *front);

#endif
