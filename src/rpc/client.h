/* The calling side: connections to one address, kept alive and reused (the most recent first,
 * CHAINSI_MAX_IDLE at most). The thread that calls writes and reads itself; there are no others. */
#ifndef CHAINSI_RPC_CLIENT_H
#define CHAINSI_RPC_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "rpc/address.h"
#include "rpc/channel.h"
#include "rpc/http.h"

typedef struct chainsi_client chainsi_client; /* any thread */

/* A client for an address as rpc/address.h reads it; connects to nothing yet. NULL with a reason:
 * no address, or https in a program without rpc/tls.h's engine. */
chainsi_client *chainsi_client_new(const char *address, char *why, size_t why_size);
/* The same of an address that was parsed, which is the client's from now on, also on failure. */
chainsi_client *chainsi_client_new_at(chainsi_address *address, char *why, size_t why_size);
/* Where it calls; as long as the client lives. */
const chainsi_address *chainsi_client_address(const chainsi_client *client);
/* How the service of an https address is known from now on. identity: whom it must have its certificate from, and what
 * it is shown; NULL: the system's authorities, and nothing. name: that its certificate must have; NULL:
 * the address's host. pin, unless NULL: the SHA-256 of its certificate, CHAINSI_TLS_PIN bytes (rpc/tls.h), and nothing
 * else counts. Before the first exchange; without effect on other addresses. */
void chainsi_client_know_peer(chainsi_client *client, chainsi_tls_identity *identity,
                              const char *name, const unsigned char *pin);
/* Closes what is idle. No exchange may be running. NULL is allowed. */
void chainsi_client_free(chainsi_client *client);
/* Closes the idle connections, as before a long pause. */
void chainsi_client_close_idle(chainsi_client *client);
/* Hands out a kept connection, the caller's from now on, or none. */
chainsi_channel chainsi_client_take_idle(chainsi_client *client);
/* Begins a session over a connected channel of the caller's, where the client's address is one of https; its
 * handshake is the caller's, too. False with a reason. */
bool chainsi_client_open_session(chainsi_client *client, chainsi_channel *channel, char *why,
                                 size_t why_size);

/* Takes the body of an answer as it comes, on the thread that makes the exchange. */
typedef struct chainsi_client_sink {
    /* Whether it takes the body behind this head; else the body is collected as ever. */
    bool (*begin)(void *user, const chainsi_http_response *head);
    /* Takes size bytes, which it may write to, until it returns; the callee waits meanwhile. false:
     * the rest isn't wanted, and the exchange ends as INTERRUPTED. */
    bool (*take)(void *user, char *data, size_t size);
    void *user;
    int64_t deadline_ns; /* beside the request's; begin and take may move it. CHAINSI_NEVER: none */
} chainsi_client_sink;

typedef struct chainsi_client_request {
    const char *method; /* "POST" */
    const char *path;   /* "/run_remote", behind the address's own path */
    /* Complete lines "Name: value\r\n"; NULL if there are none. Host, Content-Length and Connection
     * are the client's. */
    const char *headers;
    size_t headers_size;
    const void *body; /* NULL: none */
    size_t body_size;
    int64_t deadline_ns;                /* CHAINSI_NEVER: none */
    size_t max_body;                    /* of the response, bytes; 0: CHAINSI_MAX_BODY */
    const chainsi_interrupt *interrupt; /* NULL: none */
    chainsi_client_sink
        *sink;              /* NULL: none. With one the connection is not kept, and max_body is not
                                  for what it takes, which the response then doesn't have */
    int connect_timeout_ms; /* of one connection, also without a deadline; 0: the system's */
    /* An open connection to the address, to be used, and by this alone; the client's from now on. NULL: none. */
    const chainsi_channel *connection;
    bool fresh; /* use no kept connection: after NOT_STARTED of a call that should find another
                   replica */
} chainsi_client_request;

typedef struct chainsi_client_response {
    int status;               /* 200 to 599 */
    const char *content_type; /* "" if there is none */
    char *body;               /* in the arena, mutable, a NUL behind it; never NULL */
    size_t body_size;
    chainsi_http_head head; /* slices into the arena */
    int error; /* errno of what failed where the end is not ANSWERED, else 0. EAGAIN: the callee's
                  queue is full */
} chainsi_client_response;

typedef enum chainsi_exchange_end {
    CHAINSI_EXCHANGE_ANSWERED,      /* *response is filled */
    CHAINSI_EXCHANGE_NOT_STARTED,   /* certainly not begun: may be sent again */
    CHAINSI_EXCHANGE_MAYBE_STARTED, /* lost on the way or while it ran */
    CHAINSI_EXCHANGE_DEADLINE,
    CHAINSI_EXCHANGE_INTERRUPTED,
    CHAINSI_EXCHANGE_PROTOCOL, /* what came back is no HTTP, or larger than max_body */
} chainsi_exchange_end;

/* Sends a request and reads the answer to it into the arena, where its parts live as long as the
 * arena's contents. Blocks until then, or until deadline or interrupt; on any end but ANSWERED the
 * connection is closed, which is how the callee learns, and why holds a sentence. A kept connection
 * that turns out to be closed is replaced by a fresh one without a word, where it is certain that
 * nothing started. Any thread, many at once. */
chainsi_exchange_end chainsi_client_exchange(chainsi_client *client,
                                             const chainsi_client_request *request,
                                             chainsi_arena *arena,
                                             chainsi_client_response *response, char *why,
                                             size_t why_size);

#endif
