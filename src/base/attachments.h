/* The shared blocks that go beside one message: large values of it lie in them, and its body only says
 * where (a reference).
 *
 * Encoding: an empty one is filled by chainsi_attachments_add; the message is sent with the
 * descriptors that chainsi_attachments_descriptors gives, in their order, and may be sent again. Decoding:
 * chainsi_attachments_receive takes the descriptors that came, chainsi_attachments_find gives what
 * references name, and chainsi_attachments_keep makes that live as long as an arena. In both cases
 * chainsi_attachments_done ends it. One thread at a time; nothing blocks. */
#ifndef CHAINSI_BASE_ATTACHMENTS_H
#define CHAINSI_BASE_ATTACHMENTS_H

#include "base/arena.h"
#include "base/share.h"

enum {
    /* Blocks beside one message; values that find no place lie in the body. Linux takes 253. */
    CHAINSI_MAX_ATTACHMENTS = 16,
};

/* Where a value lies. */
typedef struct chainsi_reference {
    uint32_t attachment; /* its index */
    uint32_t size;       /* bytes, of text without its NUL */
    uint64_t offset;     /* bytes */
} chainsi_reference;

/* All zero bytes are an empty one. */
typedef struct chainsi_attachments {
    unsigned count;
    chainsi_share *shares[CHAINSI_MAX_ATTACHMENTS]; /* a reference to each is owned */
    /* Decoding: what all references together may name, bytes, counted down. Encoding: not looked
     * at. */
    uint64_t may_name;
    uint64_t shared; /* bytes of values that were added without a copy */
    uint64_t copied; /* bytes of values that were copied to a block of their own */
} chainsi_attachments;

/* Gives the blocks up; it is empty afterwards. */
void chainsi_attachments_done(chainsi_attachments *attachments);

/* Adds the size bytes at data, at most UINT32_MAX, and their NUL if they are text. The block that they
 * lie in is sealed; if there is none, and they are many, they are copied to a new one. False: they
 * are not worth it, or no more blocks can be had; put them into the body. */
bool chainsi_attachments_add(chainsi_attachments *attachments, const void *data, size_t size,
                             bool text, chainsi_reference *reference);
/* Writes the descriptors; they stay the blocks' own. Returns how many. */
unsigned chainsi_attachments_descriptors(const chainsi_attachments *attachments,
                                         int descriptors[CHAINSI_MAX_ATTACHMENTS]);

/* Fills an empty one with what was received. All descriptors are taken, also on failure: false with
 * *why, a constant sentence. may_name: see above. */
bool chainsi_attachments_receive(chainsi_attachments *attachments, const int *descriptors,
                                 unsigned count, uint64_t may_name, const char **why);
/* What a reference names, NUL-terminated if it is text, for as long as the blocks have an owner; NULL
 * with *why. Nothing is believed about the reference. */
const void *chainsi_attachments_find(chainsi_attachments *attachments,
                                     const chainsi_reference *reference, bool text,
                                     const char **why);
/* Makes the arena an owner of all blocks. */
void chainsi_attachments_keep(const chainsi_attachments *attachments, chainsi_arena *arena);

#endif
