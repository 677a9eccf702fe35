/* The arena. Blocks are singly linked, newest first; only the newest has free space. Shared blocks are
 * linked by nodes that lie in the arena itself. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_BLOCK = 4096,
    LARGEST_BLOCK = 1024 * 1024,
    ALIGNMENT = 16,
};

struct chainsi_arena_block {
    chainsi_arena_block *older; /* owned */
    size_t size;                /* bytes of data */
    _Alignas(ALIGNMENT) uint8_t data[];
};

struct chainsi_arena_share {
    chainsi_arena_share *older;
    chainsi_share *share; /* owned */
};

static _Noreturn void run_out_of_memory(size_t size)
{
    fprintf(stderr, "chains: out of memory: no %zu bytes\n", size);
    abort();
}

static size_t round_up(size_t size)
{
    if (size > SIZE_MAX / 2)
        run_out_of_memory(size);
    return (size + (ALIGNMENT - 1)) & ~(size_t)(ALIGNMENT - 1);
}

static void add_block(chainsi_arena *arena, size_t least)
{
    if (arena->block_size < FIRST_BLOCK)
        arena->block_size = FIRST_BLOCK;
    size_t size = arena->block_size;
    if (size < least)
        size = least;
    else if (arena->block_size < LARGEST_BLOCK)
        arena->block_size *= 2;
    chainsi_arena_block *block = malloc(sizeof *block + size);
    if (!block)
        run_out_of_memory(size);
    block->older = arena->blocks;
    block->size = size;
    arena->blocks = block;
    arena->next = block->data;
    arena->end = block->data + size;
}

void chainsi_arena_init(chainsi_arena *arena)
{
    *arena = (chainsi_arena){ 0 };
}

static void free_blocks(chainsi_arena_block *block)
{
    while (block) {
        chainsi_arena_block *older = block->older;
        free(block);
        block = older;
    }
}

static void release_shares(chainsi_arena *arena)
{
    for (chainsi_arena_share *node = arena->shares; node; node = node->older)
        chainsi_share_unref(node->share);
    arena->shares = NULL;
}

void chainsi_arena_done(chainsi_arena *arena)
{
    release_shares(arena);
    free_blocks(arena->blocks);
    *arena = (chainsi_arena){ 0 };
}

void chainsi_arena_reset(chainsi_arena *arena)
{
    release_shares(arena);
    chainsi_arena_block *kept = arena->blocks;
    if (!kept)
        return;
    if (kept->size > LARGEST_BLOCK) {
        chainsi_arena_done(arena);
        return;
    }
    free_blocks(kept->older);
    kept->older = NULL;
    arena->next = kept->data;
    arena->end = kept->data + kept->size;
}

void *chainsi_arena_alloc_raw(chainsi_arena *arena, size_t size)
{
    size = round_up(size);
    if (!arena->next || size > (size_t)(arena->end - arena->next))
        add_block(arena, size);
    void *data = arena->next;
    arena->next += size;
    return data;
}

void *chainsi_arena_alloc(chainsi_arena *arena, size_t size)
{
    void *data = chainsi_arena_alloc_raw(arena, size);
    memset(data, 0, size);
    return data;
}

void chainsi_arena_keep(chainsi_arena *arena, chainsi_share *share)
{
    chainsi_arena_share *node = chainsi_arena_alloc_raw(arena, sizeof *node);
    *node = (chainsi_arena_share){ arena->shares, chainsi_share_ref(share) };
    arena->shares = node;
}

/* A zeroed block, or NULL: it isn't wanted, or can't be had. */
static void *alloc_share(chainsi_arena *arena, size_t size)
{
    if (__builtin_expect(!chainsi_share_wants(size), 1) || arena->lent)
        return NULL;
    chainsi_share *share = chainsi_share_new(size);
    if (!share)
        return NULL;
    chainsi_arena_keep(arena, share);
    chainsi_share_unref(share);
    return chainsi_share_data(share);
}

void *chainsi_arena_alloc_sendable(chainsi_arena *arena, size_t size)
{
    void *data = alloc_share(arena, size);
    return data ? data : chainsi_arena_alloc(arena, size);
}

void *chainsi_arena_alloc_sendable_raw(chainsi_arena *arena, size_t size)
{
    void *data = alloc_share(arena, size);
    return data ? data : chainsi_arena_alloc_raw(arena, size);
}

void *chainsi_arena_array(chainsi_arena *arena, size_t count, size_t item_size)
{
    size_t size;
    if (__builtin_mul_overflow(count, item_size, &size))
        run_out_of_memory(SIZE_MAX);
    return chainsi_arena_alloc(arena, size);
}

char *chainsi_arena_copy(chainsi_arena *arena, const void *data, size_t size)
{
    char *copy = chainsi_arena_alloc_raw(arena, size + 1);
    if (size)
        memcpy(copy, data, size);
    copy[size] = 0;
    return copy;
}

char *chainsi_arena_strdup(chainsi_arena *arena, const char *text)
{
    return text ? chainsi_arena_copy(arena, text, strlen(text)) : NULL;
}

char *chainsi_arena_printf(chainsi_arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0) { /* an encoding error in a wide argument: there is no text to give */
        va_end(again);
        return chainsi_arena_copy(arena, "", 0);
    }
    char *text = chainsi_arena_alloc_raw(arena, (size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    return text;
}

bool chainsi_arena_extend(chainsi_arena *arena, void *data, size_t old_size, size_t new_size)
{
    uint8_t *start = data;
    if (!start || start + round_up(old_size) != arena->next)
        return false;
    size_t rounded = round_up(new_size);
    if (rounded > (size_t)(arena->end - start))
        return false;
    arena->next = start + rounded;
    return true;
}

void chainsi_arena_adopt(chainsi_arena *to, chainsi_arena *from)
{
    if (!from->blocks)
        return; /* and no shares, whose nodes would lie there */
    if (from->shares) {
        chainsi_arena_share *last = from->shares;
        while (last->older)
            last = last->older;
        last->older = to->shares;
        to->shares = from->shares;
    }
    if (!to->blocks) {
        from->shares = to->shares;
        *to = *from;
    } else {
        /* Behind the newest block of `to`, whose free part stays in use. */
        chainsi_arena_block *last = from->blocks;
        while (last->older)
            last = last->older;
        last->older = to->blocks->older;
        to->blocks->older = from->blocks;
    }
    *from = (chainsi_arena){ 0 };
}

void chainsi_arena_lend(chainsi_arena *arena, void *memory, size_t size)
{
    arena->next = memory;
    arena->end = arena->next + size;
    arena->lent = true;
}

size_t chainsi_arena_footprint(const chainsi_arena *arena)
{
    size_t bytes = 0;
    for (const chainsi_arena_block *block = arena->blocks; block; block = block->older)
        bytes += sizeof *block + block->size;
    for (const chainsi_arena_share *node = arena->shares; node; node = node->older)
        bytes += chainsi_share_size(node->share);
    return bytes;
}
