/* Frames: how Chainlets of one machine call each other over Unix sockets. What HTTP says in text is
 * said here in structs of this machine's own layout: nothing is formatted, searched or converted.
 * (Clients, and callees on other machines, are spoken to in HTTP: rpc/http.h.)
 *
 * A connection begins with CHAINSI_FRAME_PREFACE, whose first byte can't begin HTTP, so that one
 * listening socket takes both; frames follow in both directions:
 *
 *   caller                                     callee
 *     CALL id  [request id] [body]  -->
 *     CALL id  …                    -->          any number at once, if not SOLE
 *     CANCEL id                     -->          at any time
 *     HANDOVER                      -->          alone: a connection of a client in HTTP, beside it
 *                                   <--  ITEM id body         of a call that takes items: any number
 *                                                             before its ANSWER, in their order
 *                                   <--  ANSWER id [body]     in any order, one for each call:
 *                                   <--  NOT_STARTED id       certainly not begun; send it elsewhere
 *
 * A connection that ends: calls whose last byte had not been read were not started (the caller sees
 * ECONNRESET or EPIPE), others maybe (end of file). A caller that closes cancels its calls.
 *
 * Nothing here allocates, blocks or keeps state. Any thread. */
#ifndef CHAINSI_RPC_FRAME_H
#define CHAINSI_RPC_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHAINSI_FRAME_PREFACE "\1chains1" /* eight bytes, without the NUL behind them */
enum { CHAINSI_FRAME_PREFACE_SIZE = 8 };

enum {
    CHAINSI_FRAME_MAX_REQUEST_ID = 128,
    /* Descriptors beside one frame; they come with the first byte of its head. */
    CHAINSI_FRAME_MAX_ATTACHMENTS = 16,
    CHAINSI_FRAME_NO_SLOT = 0xffffffff,
};

typedef enum chainsi_frame_kind {
    CHAINSI_FRAME_CALL = 1,
    CHAINSI_FRAME_ANSWER,
    CHAINSI_FRAME_NOT_STARTED,
    CHAINSI_FRAME_CANCEL,
    CHAINSI_FRAME_ITEM, /* of the stream that the call makes; its body follows the head at once */
    CHAINSI_FRAME_HANDOVER, /* of a replica to whichever is free (rpc/serving.h); one attachment */
} chainsi_frame_kind;

enum chainsi_frame_flag {
    /* CALL: nothing else comes on this connection before it is answered, so the callee needn't
     * listen meanwhile; the caller cancels it by closing. */
    CHAINSI_FRAME_SOLE = 1,
    /* CALL: the caller knows the callee's board, and sends on a kept connection only with a claim:
     * the connection may stay open while the callee is busy. */
    CHAINSI_FRAME_KEEPS = 2,
    /* CALL: the caller takes ITEM frames before the answer. Only of one that is SOLE, as a caller
     * that reads slowly holds up whatever else is on the connection. */
    CHAINSI_FRAME_TAKES_ITEMS = 4,
    /* CALL: spans of its trace are recorded. */
    CHAINSI_FRAME_RECORDED = 8,
};

/* The start of every frame. */
typedef struct chainsi_frame_head {
    uint8_t kind; /* chainsi_frame_kind */
    uint8_t flags;
    uint8_t attachments; /* descriptors beside it */
    uint8_t status;      /* ANSWER: a chains_status; 0: the body is the output, else an error */
    uint32_t id; /* of the call; unique among those of the connection that are not answered */
    uint64_t body_size; /* bytes of MessagePack behind the head */
} chainsi_frame_head;

/* Behind the head of a CALL; then the request id, then the body. */
typedef struct chainsi_frame_call {
    int64_t deadline_ns;      /* of CLOCK_MONOTONIC, which both ends share; CHAINSI_NEVER: none */
    uint64_t interface;       /* the fingerprint that the caller was built with */
    uint64_t claim;           /* the word that claims the slot (rpc/board.h); 0 without */
    uint32_t slot;            /* CHAINSI_FRAME_NO_SLOT: it came by the queue, any slot will do */
    uint32_t request_id_size; /* at most CHAINSI_FRAME_MAX_REQUEST_ID; 0: make one */
    uint8_t trace_id[16];     /* its high and its low half, numbers; all zero: begin a trace */
    uint8_t span_id[8];       /* the caller's, a number */
    int64_t made_ns;          /* when it was made, by the same clock; 0: it isn't told */
} chainsi_frame_call;

/* Behind the head of an ANSWER and a NOT_STARTED; then the body. */
typedef struct chainsi_frame_answer {
    uint64_t incarnation;    /* of the replica that answers (rpc/board.h); 0: it is on no board */
    uint32_t retry_after_ms; /* do not try again sooner; 0: it doesn't say */
    uint32_t reserved;       /* 0 */
} chainsi_frame_answer;

/* A frame as it was read. */
typedef struct chainsi_frame {
    chainsi_frame_head head;
    chainsi_frame_call call;     /* of a CALL, else zero */
    chainsi_frame_answer answer; /* of an ANSWER or NOT_STARTED, else zero */
    const char *request_id;      /* into the data that was parsed; call.request_id_size bytes */
} chainsi_frame;

enum { CHAINSI_FRAME_REFUSED = -1, CHAINSI_FRAME_MORE = 0 };

/* The most bytes before a body. */
enum {
    CHAINSI_FRAME_MAX_HEAD = (int)(sizeof(chainsi_frame_head) + sizeof(chainsi_frame_call)) +
                             CHAINSI_FRAME_MAX_REQUEST_ID,
};

/* Parses what comes before the body of the frame at the start of data. Returns its bytes;
 * CHAINSI_FRAME_MORE while some are missing; or CHAINSI_FRAME_REFUSED with *why, a constant
 * sentence, for what no peer of ours sends (a body larger than max_body among it): the connection is
 * of no further use. *frame is meaningful only in the first case. data needs no alignment. */
ptrdiff_t chainsi_frame_parse(const char *data, size_t size, uint64_t max_body,
                              chainsi_frame *frame, const char **why);

/* Writes what comes before the body, from head, call or answer (by head.kind) and request_id, into
 * CHAINSI_FRAME_MAX_HEAD bytes; returns how many it wrote. */
size_t chainsi_frame_write(const chainsi_frame *frame, char *data);

#endif
