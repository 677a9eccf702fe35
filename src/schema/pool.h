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
    char *next, *end; /* the free part of the newest block; NULL before the first */
} chainsi_pool;

static inline char *chainsi_pool_alloc_slow(chainsi_pool *pool, size_t size)
{
    if (size >= CHAINSI_POOL_LARGE)
        return chainsi_arena_alloc_raw(pool->arena, size);
    char *text = chainsi_arena_alloc_raw(pool->arena, CHAINSI_POOL_BLOCK);
    pool->next = text + size;
    pool->end = text + CHAINSI_POOL_BLOCK;
    return text;
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
    if (!pool->end)
        return;
    char *block = pool->end - CHAINSI_POOL_BLOCK;
    chainsi_arena_extend(pool->arena, block, CHAINSI_POOL_BLOCK, (size_t)(pool->next - block));
}

#endif
