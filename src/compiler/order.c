/* The graph of dependencies: no cycles, and callees before callers. */
#include "compiler/reader.h"

#include <stdlib.h>
#include <string.h>

typedef enum visit_color { WHITE, GREY, BLACK } visit_color; /* not met, on the way, done */

typedef struct graph_visit {
    chainsi_reader *reader;
    chainsi_model_chainlet **all; /* by name */
    size_t count;
    visit_color *colors;                 /* by position in all */
    const chainsi_model_chainlet **way;  /* from the first to the one at hand */
    const chainsi_model_dependency **by; /* the parameter that led to way[i] */
    size_t depth;
    const chainsi_model_chainlet **ordered;
    size_t ordered_count;
} graph_visit;

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(chainsi_model_chainlet *const *)a)->c_name,
                  (*(chainsi_model_chainlet *const *)b)->c_name);
}

static size_t find_index(const graph_visit *visit, const chainsi_model_chainlet *chainlet)
{
    for (size_t i = 0; i < visit->count; i++)
        if (visit->all[i] == chainlet)
            return i;
    return SIZE_MAX;
}

static void report_cycle(graph_visit *visit, const chainsi_model_dependency *closing)
{
    chainsi_reader *reader = visit->reader;
    size_t start = visit->depth;
    while (start > 0 && visit->way[start - 1] != closing->chainlet)
        start--;
    const char *round = "";
    for (size_t i = start - 1; i < visit->depth; i++)
        round = CHAINSI_TEXT(reader, "%s%s -> ", round, visit->way[i]->c_name);
    bool itself = start == visit->depth;
    CHAINSI_ERROR(reader, closing->position,
                  itself ? "move the part that is called into a Chainlet of its own, or call it as "
                           "a plain C function"
                         : "take one of these dependencies away, or move what both need into a "
                           "third Chainlet",
                  "%s: %s%s",
                  itself ? "a Chainlet can't depend on itself"
                         : "these Chainlets depend on each other",
                  round, closing->chainlet->c_name);
}

static void walk(graph_visit *visit, size_t index, const chainsi_model_dependency *by)
{
    chainsi_model_chainlet *chainlet = visit->all[index];
    visit->colors[index] = GREY;
    visit->way[visit->depth] = chainlet;
    visit->by[visit->depth++] = by;
    for (size_t i = 0; i < chainlet->dependency_count; i++) {
        size_t next = find_index(visit, chainlet->dependencies[i].chainlet);
        if (next == SIZE_MAX)
            continue;
        if (visit->colors[next] == GREY)
            report_cycle(visit, &chainlet->dependencies[i]);
        else if (visit->colors[next] == WHITE)
            walk(visit, next, &chainlet->dependencies[i]);
    }
    visit->depth--;
    visit->colors[index] = BLACK;
    chainlet->index = visit->ordered_count;
    visit->ordered[visit->ordered_count++] = chainlet;
}

void chainsi_order_chainlets(chainsi_reader *reader)
{
    chainsi_arena *arena = reader->arena;
    size_t room = reader->reading_count;
    graph_visit visit = { .reader = reader,
                          .all = chainsi_arena_array(arena, room, sizeof *visit.all),
                          .colors = chainsi_arena_array(arena, room, sizeof *visit.colors),
                          .way = chainsi_arena_array(arena, room, sizeof *visit.way),
                          .by = chainsi_arena_array(arena, room, sizeof *visit.by),
                          .ordered = chainsi_arena_array(arena, room, sizeof *visit.ordered) };
    for (size_t i = 0; i < reader->reading_count; i++)
        if (!reader->readings[i].duplicate)
            visit.all[visit.count++] = reader->readings[i].chainlet;
    if (visit.count)
        qsort(visit.all, visit.count, sizeof *visit.all, compare_names);
    for (size_t i = 0; i < visit.count; i++)
        if (visit.colors[i] == WHITE)
            walk(&visit, i, NULL);
    reader->model->chainlets = visit.ordered;
    reader->model->chainlet_count = visit.ordered_count;
}
