#include "control/scales.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "control/handle.h"

struct chainsi_scale_entry {
    chainsi_stored_scale it; /* texts and numbers: arena's */
    chainsi_arena arena;
    chainsi_scale_entry *next;
};

static void free_entry(chainsi_scale_entry *entry)
{
    chainsi_arena_done(&entry->arena);
    free(entry);
}

void chainsi_scales_done(chainsi_scales *scales)
{
    while (scales->entries) {
        chainsi_scale_entry *entry = scales->entries;
        scales->entries = entry->next;
        free_entry(entry);
    }
}

static const int32_t *copy_integer(chainsi_arena *arena, const int32_t *number)
{
    int32_t *copy = number ? chainsi_arena_alloc(arena, sizeof *copy) : NULL;
    if (copy)
        *copy = *number;
    return copy;
}

static const double *copy_number(chainsi_arena *arena, const double *number)
{
    double *copy = number ? chainsi_arena_alloc(arena, sizeof *copy) : NULL;
    if (copy)
        *copy = *number;
    return copy;
}

void chainsi_scales_set(chainsi_scales *scales, const chainsi_stored_scale *scale)
{
    chainsi_scale_entry *entry = chainsi_make(sizeof *entry);
    chainsi_arena *arena = &entry->arena;
    entry->it = (chainsi_stored_scale){
        .chain = chainsi_arena_strdup(arena, scale->chain),
        .environment = chainsi_arena_strdup(arena, scale->environment),
        .chainlet = chainsi_arena_strdup(arena, scale->chainlet),
        .min_replicas = copy_integer(arena, scale->min_replicas),
        .max_replicas = copy_integer(arena, scale->max_replicas),
        .concurrency_target = copy_number(arena, scale->concurrency_target),
        .target_utilization = copy_number(arena, scale->target_utilization),
        .window_s = copy_number(arena, scale->window_s),
        .scale_down_delay_s = copy_number(arena, scale->scale_down_delay_s),
        .scale_to_zero_delay_s = copy_number(arena, scale->scale_to_zero_delay_s),
        .set_at = chainsi_arena_strdup(arena, scale->set_at),
    };
    chainsi_scales_reset(scales, scale->chainlet);
    entry->next = scales->entries;
    scales->entries = entry;
}

void chainsi_scales_reset(chainsi_scales *scales, const char *chainlet)
{
    chainsi_scale_entry **at = &scales->entries;
    while (*at && strcmp((*at)->it.chainlet, chainlet) != 0)
        at = &(*at)->next;
    if (!*at)
        return;
    chainsi_scale_entry *gone = *at;
    *at = gone->next;
    free_entry(gone);
}

const chainsi_stored_scale *chainsi_scales_find(const chainsi_scales *scales, const char *chainlet)
{
    const chainsi_scale_entry *entry = scales->entries;
    while (entry && strcmp(entry->it.chainlet, chainlet) != 0)
        entry = entry->next;
    return entry ? &entry->it : NULL;
}
