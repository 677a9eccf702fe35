/* The stack of unfinished lists. Segments double in size and are kept until the decoder is done. */
#include "schema/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SEGMENT = 64 * 1024, LARGEST_SEGMENT = 8 * 1024 * 1024 };

struct chainsi_scratch_segment {
    chainsi_scratch_segment *later; /* the one used when this is full; owned by the scratch */
    uint8_t *used;                  /* the end of what lies here, once it was left */
    size_t size;
    _Alignas(16) uint8_t data[];
};

void chainsi_scratch_init(chainsi_scratch *scratch)
{
    scratch->next = scratch->first;
    scratch->end = scratch->first + sizeof scratch->first;
    scratch->current = scratch->segments = NULL;
    scratch->first_used = scratch->first;
}

void chainsi_scratch_done(chainsi_scratch *scratch)
{
    for (chainsi_scratch_segment *segment = scratch->segments; segment;) {
        chainsi_scratch_segment *later = segment->later;
        free(segment);
        segment = later;
    }
}

chainsi_scratch_mark chainsi_scratch_begin(chainsi_scratch *scratch)
{
    uint8_t *before = scratch->next;
    size_t aligned = (size_t)(-(uintptr_t)scratch->next & 15);
    if ((size_t)(scratch->end - scratch->next) >= aligned)
        scratch->next += aligned;
    else
        scratch->next = scratch->end;
    return (chainsi_scratch_mark){ before, scratch->next, scratch->current };
}

void *chainsi_scratch_push_slow(chainsi_scratch *scratch, size_t size)
{
    chainsi_scratch_segment *current = scratch->current;
    if (current)
        current->used = scratch->next;
    else
        scratch->first_used = scratch->next;
    /* Segments that are too small for one item are passed over, empty. */
    chainsi_scratch_segment **place = current ? &current->later : &scratch->segments;
    size_t next_size = current ? current->size * 2 : FIRST_SEGMENT;
    while (*place && (*place)->size < size) {
        (*place)->used = (*place)->data;
        next_size = (*place)->size * 2;
        place = &(*place)->later;
    }
    if (!*place) {
        if (next_size > LARGEST_SEGMENT)
            next_size = LARGEST_SEGMENT;
        if (next_size < size)
            next_size = size;
        chainsi_scratch_segment *segment = malloc(sizeof *segment + next_size);
        if (!segment) {
            fprintf(stderr, "chains: out of memory: no %zu bytes\n", next_size);
            abort();
        }
        segment->later = NULL;
        segment->size = next_size;
        *place = segment;
    }
    scratch->current = *place;
    scratch->next = (*place)->data + size;
    scratch->end = (*place)->data + (*place)->size;
    return (*place)->data;
}

static uint8_t *copy_piece(uint8_t *to, const uint8_t *from, const uint8_t *end)
{
    size_t size = (size_t)(end - from);
    if (to && size) {
        memcpy(to, from, size);
        to += size;
    }
    return to;
}

void chainsi_scratch_end(chainsi_scratch *scratch, chainsi_scratch_mark mark, void *to)
{
    if (scratch->current == mark.segment) {
        copy_piece(to, mark.next, scratch->next);
        scratch->next = mark.before;
        return;
    }
    uint8_t *out =
        copy_piece(to, mark.next, mark.segment ? mark.segment->used : scratch->first_used);
    chainsi_scratch_segment *segment = mark.segment ? mark.segment->later : scratch->segments;
    for (; segment != scratch->current; segment = segment->later)
        out = copy_piece(out, segment->data, segment->used);
    copy_piece(out, segment->data, scratch->next);
    scratch->current = mark.segment;
    scratch->next = mark.before;
    scratch->end = mark.segment ? mark.segment->data + mark.segment->size
                                : scratch->first + sizeof scratch->first;
}
