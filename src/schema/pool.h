/* Where decoders put texts: short ones share blocks of the arena without padding between them. */
#ifndef CHAINSI_SCHEMA_POOL_H
#define CHAINSI_SCHEMA_POOL_H

#include "base/arena.h"

enum {
    CHAINSI_POOL_BLOCK = 16 * 1024,
    CHAINSI_POOL_LARGE = 1024, /* texts from this size on get memory of their own */
};

typedef struct chainsi_pool {
    chainsi_arena *arena;
    char *block;      /* the newest; NULL before the first */
    char *next, *end; /* its free part */
} chainsi_pool;

static inline char *chainsi_pool_alloc_slow(chainsi_pool *pool, size_t size)
{
    if (size >= CHAINSI_POOL_LARGE)
        return chainsi_arena_alloc_raw(pool->arena, size);
    /* Half of what the arena has at hand does for most messages, and asks for no memory. */
    size_t room = (chainsi_arena_room(pool->arena) / 2) & ~(size_t)15;
    if (room < size || room > CHAINSI_POOL_BLOCK)
        room = CHAINSI_POOL_BLOCK;
    pool->block = chainsi_arena_alloc_raw(pool->arena, room);
    pool->next = pool->block + size;
    pool->end = pool->block + room;
    return pool->block;
}

/* size bytes, not aligned, not initialized. */
static inline char *chainsi_pool_alloc(chainsi_pool *pool, size_t size)
{
    if (__builtin_expect((size_t)(pool->end - pool->next) < size, 0))
        return chainsi_pool_alloc_slow(pool, size);
    char *text = pool->next;
    pool->next += size;
    return text;
}

/* Ends the use of the pool: gives what is left of the newest block back to the arena, if nothing was
 * allocated behind it. */
static inline void chainsi_pool_done(chainsi_pool *pool)
{
    if (pool->block)
        chainsi_arena_extend(pool->arena, pool->block, (size_t)(pool->end - pool->block),
                             (size_t)(pool->next - pool->block));
}

#endif
