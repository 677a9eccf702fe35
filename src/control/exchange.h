/* One request of a client at the front door, and its answer; a connection has one at a time.
 *
 * A request is handed over whole; its answer is given whole (chainsi_exchange_answer) or in parts
 * (begin, write, end). With the end of the answer the exchange belongs to the next request, at once:
 * it must not be used any more. Everything belongs to the thread of the loop, and nothing here blocks.
 *
 *      TLS: handshake done
 *   GREETING -----.
 *                 v   head complete      body complete       answer ended        all sent
 *   (plain) ---> HEAD -----------> BODY -------------> RUNNING -------> FLUSHING -------> HEAD
 *    |            |  \___ refused, too large, too slow ____|_______________/    \
 *    |            |                                                              \ not kept alive
 *    |            v idle for too long, client left (from any state)               v
 *    '---------> CLOSED <------------------------ end of file, or time over --- LINGERING  */
#ifndef CHAINSI_CONTROL_EXCHANGE_H
#define CHAINSI_CONTROL_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <chains.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "control/limits.h"
#include "control/stream_end.h"
#include "rpc/http.h"

/* A request and its answer. */
typedef struct chainsi_exchange {
    chainsi_http_request request; /* complete; slices live as long as arena's contents */
    const char *body;             /* with a NUL behind it; never NULL */
    size_t body_size;
    char request_id[CHAINSI_REQUEST_ID + 1];
    bool has_given_id;                   /* it is the client's, not one that was made here */
    int64_t received_ns;                 /* when the head was complete */
    const struct chainsi_caller *caller; /* of gate.h, in arena; NULL: nobody has asked */
    chainsi_arena arena; /* for whoever answers; until the answer has ended, or on_gone */

    /* Set by whoever answers later than at once. on_gone: the client has left; the exchange must
     * not be used after it returns. on_drained: what was written has been taken, write more. */
    void (*on_gone)(struct chainsi_exchange *exchange);
    void (*on_drained)(struct chainsi_exchange *exchange);
    void *user;

    /* Set before an answer in parts begins, where it is a stream in which a failure can be told. */
    chainsi_stream_end stream;

    void *connection; /* of front_connection.c */
} chainsi_exchange;

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
/* Bytes that wait for the client to read. */
size_t chainsi_exchange_waiting(const chainsi_exchange *exchange);
void chainsi_exchange_end(chainsi_exchange *exchange);
/* The answer can't be completed: closes the connection, so that the client sees it cut short. */
void chainsi_exchange_abort(chainsi_exchange *exchange);
/* The same, and why: a stream whose length wasn't told ends with an item that is the error, as a whole body.
 * Every other answer is aborted. */
void chainsi_exchange_break(chainsi_exchange *exchange, chains_status status, const char *format,
                            ...) __attribute__((format(printf, 3, 4)));
/* Takes an exchange away from whoever answers it, who is told on_gone, and answers as
 * chainsi_exchange_refuse does; where the answer has begun, as
 * chainsi_exchange_break. */
void chainsi_exchange_cancel(chainsi_exchange *exchange, int http_status, const char *headers,
                             chains_status status, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
