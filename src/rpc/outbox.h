/* An outbox: frames on their way out of a connection that many calls share, with the descriptors that
 * go beside some of them. What the socket doesn't take stays. Of one thread at a time; nothing here
 * blocks. All zero bytes are an empty one. */
#ifndef CHAINSI_RPC_OUTBOX_H
#define CHAINSI_RPC_OUTBOX_H

#include "base/buffer.h"
#include "rpc/frame.h"

typedef struct chainsi_outbox {
    chainsi_buffer bytes, attached; /* the latter: which descriptors go with which byte, in order */
    size_t sent, attached_sent;     /* bytes of each */
} chainsi_outbox;

/* Closes what descriptors are left, and frees the memory. */
void chainsi_outbox_done(chainsi_outbox *box);
/* The same, but memory that isn't large is kept for reuse. */
void chainsi_outbox_drop(chainsi_outbox *box);

/* Adds a frame; body_size is in its head. Takes over the descriptors, head.attachments of them. */
void chainsi_outbox_add(chainsi_outbox *box, const chainsi_frame *frame, const void *body,
                        const int *fds);
static inline bool chainsi_outbox_is_empty(const chainsi_outbox *box)
{
    return !box->bytes.size;
}

/* Sends what the socket takes. 1: all, 0: it is full, -1: it has failed. */
int chainsi_outbox_send(chainsi_outbox *box, int fd);

#endif
