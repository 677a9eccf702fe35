/* The serving side of the front door: connections of clients on libuv, and one request with its
 * answer on each at a time.
 *
 * A request is handed over whole; its answer is given whole (chainsi_exchange_answer) or in parts
 * (begin, write, end). Everything belongs to the thread of the loop, and nothing here blocks.
 *
 *            head complete        body complete         answer ended        all sent
 *   HEAD ------------------> BODY --------------> RUNNING ---------> FLUSHING -------> HEAD
 *    |  \___ refused, too large ___|__________________________________/    \
 *    |                                                                      \ not kept alive
 *    v idle for too long, client left (from any state)                       v
 *   CLOSED <------------------------------ end of file, or time over --- LINGERING  */
#ifndef CHAINSI_CONTROL_EXCHANGE_H
#define CHAINSI_CONTROL_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <chains.h>
#include <uv.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "rpc/http.h"

enum {
    CHAINSI_IDLE_TIMEOUT_MS = 300 * 1000, /* between requests */
    CHAINSI_STALL_TIMEOUT_MS = 30 * 1000, /* without a byte of a request, or taken of an answer */
    CHAINSI_READ_AHEAD = 64 * 1024,       /* bytes of further requests kept while one runs */
    CHAINSI_WRITE_AHEAD = 1024 * 1024,    /* bytes waiting for a client; beyond, hold back */
    CHAINSI_REQUEST_ID = 128,             /* characters of an id that a client gives */
};

typedef struct chainsi_front chainsi_front;

/* A request and its answer. */
typedef struct chainsi_exchange {
    chainsi_http_request request; /* complete; slices live as long as arena's contents */
    char *body;                   /* with a NUL behind it; never NULL */
    size_t body_size;
    char request_id[CHAINSI_REQUEST_ID + 1];
    int64_t received_ns; /* when the head was complete */
    chainsi_arena arena; /* for whoever answers; until the answer has ended, or on_gone */

    /* Set by whoever answers later than at once. on_gone: the client has left; the exchange must
     * not be used after it returns. on_drained: what was written has been taken, write more. */
    void (*on_gone)(struct chainsi_exchange *exchange);
    void (*on_drained)(struct chainsi_exchange *exchange);
    void *user;

    void *connection; /* of exchange.c */
} chainsi_exchange;

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
/* After on_finished, or if nothing was ever accepted. NULL is allowed. */
void chainsi_front_free(chainsi_front *front);

/* A whole answer. headers: complete lines "Name: value\r\n", NULL if there are none. Both are
 * copied. */
void chainsi_exchange_answer(chainsi_exchange *exchange, int status, const char *content_type,
                             const chainsi_buffer *headers, const void *body, size_t size);
/* A JSON answer from an error without a trace, in the form that Chainlets use. */
void chainsi_exchange_fail(chainsi_exchange *exchange, chains_status status, const char *format,
                           ...) __attribute__((format(printf, 3, 4)));
/* The same with an HTTP status of its own (405, 413, 415) and further header lines (or NULL). */
void chainsi_exchange_refuse(chainsi_exchange *exchange, int http_status, const char *headers,
                             chains_status status, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* An answer in parts. content_length -1: not known. headers as above, Content-Type included. */
void chainsi_exchange_begin(chainsi_exchange *exchange, int status, const chainsi_buffer *headers,
                            int64_t content_length);
/* Bytes of the body; copied. Returns false when so much waits that on_drained should be awaited. */
bool chainsi_exchange_write(chainsi_exchange *exchange, const void *data, size_t size);
void chainsi_exchange_end(chainsi_exchange *exchange);
/* The answer can't be completed: closes the connection, so that the client sees it cut short. */
void chainsi_exchange_abort(chainsi_exchange *exchange);

#endif
