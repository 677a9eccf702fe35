/* An arena: memory that is handed out piece by piece and freed all at once.
 *
 * An arena is used by one thread at a time. Blocks come from malloc; an arena that is reset keeps
 * its newest block, so that a connection's arena stops allocating after a few requests. Running out
 * of memory ends the process (abort), as the authors' API promises memory that is never NULL; sizes
 * that a peer controls are limited before they get here. */
#ifndef CHAINSI_BASE_ARENA_H
#define CHAINSI_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/share.h"

typedef struct chainsi_arena_block chainsi_arena_block;
typedef struct chainsi_arena_share chainsi_arena_share;

typedef struct chainsi_arena {
    uint8_t *next, *end;         /* the free part of the newest block */
    chainsi_arena_block *blocks; /* owned; newest first */
    size_t block_size;           /* of the next block, bytes; grows up to a limit */
    chainsi_arena_share *shares; /* owned; newest first */
    bool lent;                   /* all of its memory is to come from what it was lent */
} chainsi_arena;

/* Makes an empty arena; allocates nothing. All zero bytes are an empty arena, too. */
void chainsi_arena_init(chainsi_arena *arena);
/* Frees everything; the arena is empty afterwards and may be used again. */
void chainsi_arena_done(chainsi_arena *arena);
/* Takes everything back but keeps the newest block for reuse, unless it is larger than 1 MiB. */
void chainsi_arena_reset(chainsi_arena *arena);

/* size bytes, aligned to 16, zeroed / not initialized. Never NULL. Size 0 gives a valid pointer to
 * nothing. */
void *chainsi_arena_alloc(chainsi_arena *arena, size_t size);
void *chainsi_arena_alloc_raw(chainsi_arena *arena, size_t size);
/* The same for what may be sent to another process: large memory is a shared block of its own, if
 * shared blocks are enabled (base/share.h). */
void *chainsi_arena_alloc_sendable(chainsi_arena *arena, size_t size);
void *chainsi_arena_alloc_sendable_raw(chainsi_arena *arena, size_t size);
/* Makes the arena one more owner of a shared block, until it is done or reset. */
void chainsi_arena_keep(chainsi_arena *arena, chainsi_share *share);
/* count * item_size zeroed bytes; a product that overflows ends the process. */
void *chainsi_arena_array(chainsi_arena *arena, size_t count, size_t item_size);
/* A copy of size bytes followed by a NUL. */
char *chainsi_arena_copy(chainsi_arena *arena, const void *data, size_t size);
/* A copy of a text; NULL gives NULL. */
char *chainsi_arena_strdup(chainsi_arena *arena, const char *text);
char *chainsi_arena_printf(chainsi_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Grows or shrinks the allocation at data from old_size to new_size bytes in place and returns true
 * if it is the newest one and its block has room; new bytes are not initialized. Else false, and
 * nothing changed. */
bool chainsi_arena_extend(chainsi_arena *arena, void *data, size_t old_size, size_t new_size);
/* Gives everything that `from` holds to `to`; `from` is empty afterwards. Pointers stay valid. */
void chainsi_arena_adopt(chainsi_arena *to, chainsi_arena *from);
/* Gives an empty arena memory of the caller's to begin with, aligned to 16: it is never freed by the
 * arena, and must outlive it. */
void chainsi_arena_lend(chainsi_arena *arena, void *memory, size_t size);
/* Bytes that can be had without asking for memory. */
static inline size_t chainsi_arena_room(const chainsi_arena *arena)
{
    return arena->next ? (size_t)(arena->end - arena->next) : 0;
}
/* Bytes in all blocks, shared ones included. */
size_t chainsi_arena_footprint(const chainsi_arena *arena);

#endif
