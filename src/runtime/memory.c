/* The authors' allocation functions.
 *
 * Lists that grow: a list is a pointer and a count, with no capacity, and may come from anywhere.
 * So each ctx remembers the arrays that it has grown with their capacities (newest first, few of
 * them); an array that is not among them is taken to be full. */
#include "runtime/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/context.h"

enum { REMEMBERED = 16, FIRST_CAPACITY = 8 };

struct chainsi_grown {
    struct {
        const void *items;
        size_t capacity; /* in items */
    } lists[REMEMBERED];
    size_t next; /* the one to forget */
};

static void lock(chains_ctx *ctx)
{
    if (ctx->lock)
        pthread_mutex_lock(ctx->lock);
}

static void unlock(chains_ctx *ctx)
{
    if (ctx->lock)
        pthread_mutex_unlock(ctx->lock);
}

void *chainsi_memory_raw(chains_ctx *ctx, size_t size)
{
    lock(ctx);
    void *data = chainsi_arena_alloc_sendable_raw(ctx->arena, size);
    unlock(ctx);
    return data;
}

void *chains_alloc(chains_ctx *ctx, size_t size)
{
    lock(ctx);
    void *data = chainsi_arena_alloc_sendable(ctx->arena, size);
    unlock(ctx);
    return data;
}

void *chainsi_memory_array(chains_ctx *ctx, size_t count, size_t item_size)
{
    lock(ctx);
    void *data = chainsi_arena_array(ctx->arena, count, item_size);
    unlock(ctx);
    return data;
}

void chainsi_memory_adopt(chains_ctx *ctx, chains_ctx *from)
{
    lock(ctx);
    chainsi_arena_adopt(ctx->arena, &from->own);
    unlock(ctx);
}

void *chains_array_(chains_ctx *ctx, size_t count, size_t item_size)
{
    return chainsi_memory_array(ctx, count, item_size);
}

char *chains_strdup(chains_ctx *ctx, const char *text)
{
    if (!text)
        return NULL;
    size_t size = strlen(text) + 1;
    return memcpy(chainsi_memory_raw(ctx, size), text, size);
}

char *chains_printf(chains_ctx *ctx, const char *format, ...)
{
    char text[256];
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char *result;
    if (size < 0) {
        result = chains_strdup(ctx, "");
    } else if ((size_t)size < sizeof text) {
        result = memcpy(chainsi_memory_raw(ctx, (size_t)size + 1), text, (size_t)size + 1);
    } else {
        result = chainsi_memory_raw(ctx, (size_t)size + 1);
        vsnprintf(result, (size_t)size + 1, format, again);
    }
    va_end(again);
    return result;
}

/* The remembered capacity of an array, to be read and changed; NULL if it isn't one of ours. */
static size_t *find_capacity(struct chainsi_grown *grown, const void *items)
{
    for (size_t i = 0; i < REMEMBERED; i++)
        if (grown->lists[i].items == items)
            return &grown->lists[i].capacity;
    return NULL;
}

void *chains_grow_(chains_ctx *ctx, const void *items, size_t count, size_t item_size)
{
    lock(ctx);
    if (!ctx->grown)
        ctx->grown = chainsi_arena_alloc(ctx->arena, sizeof *ctx->grown);
    struct chainsi_grown *grown = ctx->grown;
    size_t *capacity = items ? find_capacity(grown, items) : NULL;
    void *result = (void *)items;
    if (!capacity || *capacity <= count) {
        size_t larger = count < FIRST_CAPACITY ? FIRST_CAPACITY : count * 2;
        if (capacity &&
            chainsi_arena_extend(ctx->arena, result, *capacity * item_size, larger * item_size)) {
            memset((char *)result + *capacity * item_size, 0, (larger - *capacity) * item_size);
            *capacity = larger;
        } else {
            result = chainsi_arena_array(ctx->arena, larger, item_size);
            if (count)
                memcpy(result, items, count * item_size);
            if (!capacity) {
                grown->next = (grown->next + 1) % REMEMBERED;
                capacity = &grown->lists[grown->next].capacity;
            }
            /* The slot of the outgrown array now stands for the new one: a second list that still
             * uses the old array is copied on its next push, as any foreign one. */
            size_t slot =
                (size_t)((char *)capacity - (char *)grown->lists) / sizeof grown->lists[0];
            grown->lists[slot].items = result;
            grown->lists[slot].capacity = larger;
        }
    }
    unlock(ctx);
    return result;
}

size_t chains_find_(const void *entries, size_t count, size_t entry_size, const char *key)
{
    const char *entry = entries;
    for (size_t i = 0; i < count; i++, entry += entry_size) {
        const char *name;
        memcpy(&name, entry, sizeof name); /* the key is an entry's first member */
        if (name && !strcmp(name, key))
            return i;
    }
    return count;
}
