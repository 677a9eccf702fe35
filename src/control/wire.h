/* The connection of a client as bytes in and bytes out, plain or by TLS, on a stream of libuv. What is sent
 * goes to the kernel at once where it takes it, without a copy and without a callback; only the rest waits.
 *
 * Everything belongs to the thread of the loop, and nothing here blocks. Events come from the loop, never
 * from within a function that is called here; chainsi_wire_done may be called in any of them. */
#ifndef CHAINSI_CONTROL_WIRE_H
#define CHAINSI_CONTROL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/buffer.h"
#include "control/secure.h"

typedef struct chainsi_wire {
    uv_stream_t *stream;             /* owned */
    chainsi_secure_session *session; /* owned; NULL: plain */
    chainsi_buffer in; /* what came and wasn't taken yet, for the owner to take from */
    bool greeting;     /* the TLS handshake isn't done; nothing can be sent */
    bool mistaken; /* the client doesn't speak TLS, as it should: what is sent now goes as it is */
    bool broken;   /* nothing can be sent any more; on_end follows */
    bool reading;  /* as wanted by the owner */
    bool greeted;  /* the first byte came */
    uv_idle_t *breaking; /* owned; tells of being broken; NULL: needn't */
    size_t writes;       /* that the kernel has not taken whole */
    uint64_t given;      /* bytes given to the stream so far */

    void (*on_bytes)(void *user);   /* something was added to `in`, or the handshake is done */
    void (*on_end)(void *user);     /* the client has left, or the connection is broken */
    void (*on_drained)(void *user); /* what had to wait has been taken */
    void *user;
} chainsi_wire;

/* Takes over an accepted stream, made by malloc. secure NULL: plain. The owner sets the events and user. */
void chainsi_wire_init(chainsi_wire *wire, uv_stream_t *stream, const chainsi_secure *secure);
/* Closes it. No event follows. */
void chainsi_wire_done(chainsi_wire *wire);

/* Lets bytes come, or leaves them in the socket. */
void chainsi_wire_read(chainsi_wire *wire, bool wanted);
/* Sends the parts one after the other; what can't be sent at once is copied. */
void chainsi_wire_send(chainsi_wire *wire, const uv_buf_t *parts, unsigned count);
/* Says that nothing more comes, behind what was sent. */
void chainsi_wire_end(chainsi_wire *wire);
/* Bytes that wait for the client to read. */
size_t chainsi_wire_waiting(const chainsi_wire *wire);

#endif
