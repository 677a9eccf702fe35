/* A stack on which decoders collect the items of lists whose count isn't known beforehand.
 *
 * An item never moves while it is decoded, lists inside items lie above it and are gone before the
 * next item comes, so the items of a list lie one behind the other but for the ends of segments. When
 * a list is complete, its items are copied once, to memory of exactly their size. */
#ifndef CHAINSI_SCHEMA_SCRATCH_H
#define CHAINSI_SCHEMA_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

typedef struct chainsi_scratch_segment chainsi_scratch_segment;

typedef struct chainsi_scratch {
    uint8_t *next, *end;               /* the free part of the current segment */
    chainsi_scratch_segment *current;  /* owned, as are those it is linked with; NULL: first */
    chainsi_scratch_segment *segments; /* the first of the heap */
    uint8_t *first_used;               /* the end of what lies in `first`, once it was left */
    _Alignas(16) uint8_t first[8192];  /* where small values need no heap */
} chainsi_scratch;

/* Where a list begins. */
typedef struct chainsi_scratch_mark {
    uint8_t *before; /* where the items of the list around it go on */
    uint8_t *next;   /* its own first item: before, aligned */
    chainsi_scratch_segment *segment;
} chainsi_scratch_mark;

void chainsi_scratch_init(chainsi_scratch *scratch);
void chainsi_scratch_done(chainsi_scratch *scratch);

/* Begins a list; items are aligned to 16 where their size permits. */
chainsi_scratch_mark chainsi_scratch_begin(chainsi_scratch *scratch);
/* Copies the items pushed since the mark to `to`, and takes them away. With a NULL `to` they are only
 * taken away. */
void chainsi_scratch_end(chainsi_scratch *scratch, chainsi_scratch_mark mark, void *to);

void *chainsi_scratch_push_slow(chainsi_scratch *scratch, size_t size);

/* Room for one more item of the list begun last, not initialized. All of a list's items have one
 * size. */
static inline void *chainsi_scratch_push(chainsi_scratch *scratch, size_t size)
{
    if (__builtin_expect((size_t)(scratch->end - scratch->next) < size, 0))
        return chainsi_scratch_push_slow(scratch, size);
    void *item = scratch->next;
    scratch->next += size;
    return item;
}

#endif
