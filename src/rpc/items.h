/* What comes back for a call that takes items (rpc/frame.h), cut into its frames as it is read: ITEM
 * frames, then an ANSWER; or NOT_STARTED alone. All bytes lie in one buffer that is used again and
 * again, so a stream takes no more memory than its largest frame. Written for whatever the other end
 * may send: sizes are checked before memory is asked for.
 *
 * Nothing here blocks or touches a socket. One thread at a time. */
#ifndef CHAINSI_RPC_ITEMS_H
#define CHAINSI_RPC_ITEMS_H

#include <stddef.h>
#include <stdint.h>

#include "rpc/frame.h"

typedef struct chainsi_items {
    uint32_t id;                                        /* of the call */
    size_t max_body;                                    /* of one frame, bytes */
    size_t given;                                       /* items that were taken */
    size_t size;                                        /* bytes that were read and not taken */
    int attachments[2 * CHAINSI_FRAME_MAX_ATTACHMENTS]; /* owned; read and not taken */
    int attachment_count;
    /* Private. */
    char *data; /* owned; NULL before the first byte is asked for */
    size_t capacity, start;
} chainsi_items;

void chainsi_items_init(chainsi_items *items, uint32_t id, size_t max_body);
/* Frees the buffer and closes the descriptors that nobody took. */
void chainsi_items_done(chainsi_items *items);

/* Where the next *room bytes may be read to, at least one. What was taken is overwritten. */
char *chainsi_items_make_room(chainsi_items *items, size_t *room);
/* So many bytes were read there. */
void chainsi_items_add(chainsi_items *items, size_t size);

typedef struct chainsi_items_part {
    chainsi_frame frame;
    char *body; /* may be written to; valid until room is made, with no NUL behind it */
    int attachments[CHAINSI_FRAME_MAX_ATTACHMENTS]; /* the taker's to close */
} chainsi_items_part;

/* Takes the next frame: 1; 0: none is whole; CHAINSI_FRAME_REFUSED with *why, a constant sentence: it
 * is nothing that may come for this call, and the connection is of no further use. Behind the answer
 * nothing is to be taken. */
int chainsi_items_next(chainsi_items *items, chainsi_items_part *part, const char **why);

#endif
