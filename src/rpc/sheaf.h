/* A sheaf: many calls on one framed connection. Calls that are added together leave in one write;
 * answers come in any order, several in one read, and are taken one by one.
 *
 * Used by one thread at a time, but for what chainsi_sheaf_prepare says. Nothing here blocks but
 * chainsi_sheaf_read where it is told to. */
#ifndef CHAINSI_RPC_SHEAF_H
#define CHAINSI_RPC_SHEAF_H

#include "base/arena.h"
#include "base/buffer.h"
#include "rpc/link.h"

enum { CHAINSI_SHEAF_COPIED = 4096 /* a body up to so many bytes is copied when it is added */ };

/* What is known of one call on it. */
typedef struct chainsi_sheaf_call {
    void *user;      /* NULL: nobody waits for it any more */
    uint64_t end_at; /* byte of the connection behind its last one */
    uint32_t next_free;
    bool outstanding;
} chainsi_sheaf_call;

typedef struct chainsi_sheaf_part {
    const void *data; /* not owned; NULL: at offset in `out` */
    size_t offset, size;
    const int *attachments; /* not owned; they go with its first byte */
    uint8_t attachment_count;
} chainsi_sheaf_part;

typedef struct chainsi_sheaf {
    chainsi_wire wire;           /* owned */
    uint32_t waiting, abandoned; /* calls that are not answered, somebody waiting for them or not */
    /* calls, by id */
    chainsi_sheaf_call *calls; /* owned */
    uint32_t call_count, call_capacity, first_free;
    /* to be sent */
    chainsi_buffer out;        /* heads and small bodies */
    chainsi_sheaf_part *parts; /* owned */
    size_t part_count, part_capacity, next_part;
    uint64_t added, sent; /* bytes in all */
    /* read */
    char *in; /* in an arena of the reader's */
    size_t in_start, in_size, in_capacity;
    int attachments[CHAINSI_FRAME_MAX_ATTACHMENTS * 2]; /* owned; not yet taken */
    int attachment_count;
} chainsi_sheaf;

/* Takes over a connection on which nothing is outstanding. */
void chainsi_sheaf_init(chainsi_sheaf *sheaf, chainsi_wire *wire);
/* Closes the connection, if it wasn't taken out of `wire`, which cancels what is outstanding. */
void chainsi_sheaf_done(chainsi_sheaf *sheaf);

/* Adds a call; nothing is sent before chainsi_sheaf_flush. frame->head.id is set here, and
 * returned. frame's attachments, and a larger body, stay valid until it has left or the
 * sheaf is done. user: not NULL, comes back with the answer. */
uint32_t chainsi_sheaf_add(chainsi_sheaf *sheaf, chainsi_frame *frame, const void *body,
                           const int *attachments, void *user);
/* Sends what can be sent now: 0 (everything has left), EAGAIN, or why no more can be sent. */
int chainsi_sheaf_flush(chainsi_sheaf *sheaf);
/* Whether there is something to flush. */
static inline bool chainsi_sheaf_is_unsent(const chainsi_sheaf *sheaf)
{
    return sheaf->next_part < sheaf->part_count;
}
/* Whether the whole call has left. */
bool chainsi_sheaf_has_left(const chainsi_sheaf *sheaf, uint32_t id);
/* Whether one call alone isn't answered, and nothing was added behind it: what the other end has not read, if it
 * closes, is of that call. */
bool chainsi_sheaf_is_sole(const chainsi_sheaf *sheaf);
/* Nobody waits for this call any more; its answer, when it comes, is dropped. cancel: the callee is
 * told, with the next flush. */
void chainsi_sheaf_abandon(chainsi_sheaf *sheaf, uint32_t id, bool cancel);

/* Makes the room that chainsi_sheaf_read needs, which then touches nothing but what was read: so one
 * thread may read while others add and send under a lock. */
void chainsi_sheaf_prepare(chainsi_sheaf *sheaf, chainsi_arena *arena);
/* Reads once, into memory of arena, which answers point into: the bytes, 0 at the end, or -errno
 * (EAGAIN: nothing has come). block: waits CHAINSI_LINK_PATIENCE_MS for something. The arena must be
 * the same, and not be reset, for as long as something is outstanding. */
ptrdiff_t chainsi_sheaf_read(chainsi_sheaf *sheaf, chainsi_arena *arena, bool block);

typedef struct chainsi_sheaf_answer {
    void *user;
    chainsi_frame frame; /* an ANSWER or NOT_STARTED */
    char *body; /* mutable, frame.head.body_size bytes; nothing behind them may be touched */
    int attachments[CHAINSI_FRAME_MAX_ATTACHMENTS]; /* the taker's to close */
} chainsi_sheaf_answer;

/* Takes the next answer out of what was read: 1; 0: none is whole; CHAINSI_FRAME_REFUSED with *why:
 * what came is no answer to what was sent, and the connection is of no further use. */
int chainsi_sheaf_next(chainsi_sheaf *sheaf, uint64_t max_body, chainsi_sheaf_answer *answer,
                       const char **why);
/* Takes back a call that somebody waits for, to end it otherwise; NULL: there is none. has_left: as
 * above. */
void *chainsi_sheaf_take_back(chainsi_sheaf *sheaf, bool *has_left);
/* Nothing is outstanding in either direction: the connection may be kept. */
bool chainsi_sheaf_is_clean(const chainsi_sheaf *sheaf);

#endif
