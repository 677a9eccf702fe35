/* What front.c, front_connection.c and exchange.c share: a front's connections. For these alone. */
#ifndef CHAINSI_CONTROL_FRONT_PARTS_H
#define CHAINSI_CONTROL_FRONT_PARTS_H

#include "control/front.h"
#include "control/guests.h"
#include "control/spool.h"
#include "control/wire.h"

typedef enum chainsi_front_state {
    CHAINSI_FRONT_GREETING,
    CHAINSI_FRONT_HEAD,
    CHAINSI_FRONT_BODY,
    CHAINSI_FRONT_RUNNING,
    CHAINSI_FRONT_FLUSHING,
    CHAINSI_FRONT_LINGERING,
} chainsi_front_state;

typedef struct chainsi_front_connection {
    chainsi_front *front;
    struct chainsi_front_connection *previous, *next; /* in front->connections */
    chainsi_wire wire;                                /* owned */
    uv_timer_t *timer;                                /* owned */
    chainsi_front_state state;
    chainsi_exchange exchange;
    chainsi_guest guest; /* whose connection it is; counted if is_counted */
    bool is_counted;
    chainsi_http_scan scan;
    chainsi_buffer held; /* the head of an answer, to go out with the body's first bytes */
    chainsi_spool body;  /* of the request, decoded */
    size_t body_left;    /* still to come, where the length is known */
    size_t counted_body; /* bytes of body that front->held_bodies has */
    chainsi_http_chunked chunked;
    bool keep_alive, chunked_answer, head_only;
    bool open_answer;  /* its body ends with the connection */
    bool head_began;   /* a byte of the request came */
    bool answer_began; /* the head of its answer was made */
    bool advancing;    /* in advance() */
    bool aborted;      /* the answer can't be completed */
    uint64_t
        paced_from; /* bytes that the client had sent of a body, or taken, when the timer was set */
    size_t waiting_then; /* for it to read, likewise */
    size_t lingered;
} chainsi_front_connection;

struct chainsi_front {
    uv_loop_t *loop; /* not owned */
    chainsi_front_options options;
    uv_tcp_t *listener;     /* owned; NULL when not listening */
    chainsi_guests *guests; /* owned */
    chainsi_front_connection *connections;
    size_t connection_count;
    uint64_t held_bodies; /* bytes of incomplete and running requests */
    bool stopping, finishing, finished;
    uv_timer_t *timer; /* owned; while finishing */
};

/* Begins to read requests of a stream that was accepted and is connection->wire's. */
void chainsi_front_begin(chainsi_front_connection *connection);
/* Ends the connection and frees it. Whoever answers its request hears that the client has left. */
void chainsi_front_close(chainsi_front_connection *connection);
/* Whether it is between requests. */
bool chainsi_front_is_idle(const chainsi_front_connection *connection);
/* Takes a connection that closes off the front's list. */
void chainsi_front_remove(chainsi_front_connection *connection);

/* For exchange.c. Sends a part of an answer; copied. */
void chainsi_front_send(chainsi_front_connection *connection, const uv_buf_t *parts,
                        unsigned count);
/* All of the answer has been sent; the exchange is the next request's from now on. */
void chainsi_front_end_answer(chainsi_front_connection *connection);
/* There will be no more of it: closes the connection, from the loop. */
void chainsi_front_give_up(chainsi_front_connection *connection);

#endif
