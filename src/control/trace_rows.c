/* The tree of a trace: each span is found its parent by a search in the ids, then all are walked from the
 * top without recursion, as a hostile trace may be as deep as it has spans. */
#include "control/traces.h"

#include <stdlib.h>
#include <string.h>

enum { NONE = -1 };

typedef struct node {
    const chainsi_span *span;
    int parent, first_child, last_child, next_sibling; /* indices; NONE */
    bool is_orphan, is_done;
} node;

/* An id, and where the span with it is. */
typedef struct place {
    uint64_t id;
    int index;
} place;

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* What is at the top: the front door first. All: in the order of beginning. */
static int compare_nodes(const void *left, const void *right)
{
    const chainsi_span *a = ((const node *)left)->span, *b = ((const node *)right)->span;
    const bool a_front = a->kind == CHAINSI_SPAN_FRONT, b_front = b->kind == CHAINSI_SPAN_FRONT;
    if (a_front != b_front)
        return a_front ? -1 : 1;
    if (a->began_ns != b->began_ns)
        return a->began_ns < b->began_ns ? -1 : 1;
    if (a->ended_ns != b->ended_ns)
        return a->ended_ns > b->ended_ns ? -1 : 1;
    return compare_numbers(a->id, b->id);
}

static int compare_places(const void *left, const void *right)
{
    const place *a = left, *b = right;
    int order = compare_numbers(a->id, b->id);
    return order ? order : (a->index > b->index) - (a->index < b->index);
}

/* The first span with that id; NONE. */
static int find_span(const place *places, int count, uint64_t id)
{
    int low = 0, high = count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (places[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && places[low].id == id ? places[low].index : NONE;
}

static void link_nodes(node *nodes, int count, chainsi_arena *arena)
{
    place *places = chainsi_arena_array(arena, (size_t)count, sizeof *places);
    for (int i = 0; i < count; i++)
        places[i] = (place){ nodes[i].span->id, i };
    qsort(places, (size_t)count, sizeof *places, compare_places);
    for (int i = 0; i < count; i++) {
        node *it = &nodes[i];
        int parent = it->span->parent ? find_span(places, count, it->span->parent) : NONE;
        it->is_orphan = it->span->parent && (parent == NONE || parent == i);
        if (parent == NONE || parent == i)
            continue;
        it->parent = parent;
        if (nodes[parent].last_child == NONE)
            nodes[parent].first_child = i;
        else
            nodes[nodes[parent].last_child].next_sibling = i;
        nodes[parent].last_child = i;
    }
}

/* Adds a node and all below it that isn't there yet. */
static int add_rows(node *nodes, int top, chainsi_trace_row *rows, int used)
{
    int depth = 0;
    for (int at = top; at != NONE;) {
        if (!nodes[at].is_done) {
            nodes[at].is_done = true;
            rows[used++] = (chainsi_trace_row){ nodes[at].span, depth, nodes[at].is_orphan };
            if (nodes[at].first_child != NONE && !nodes[nodes[at].first_child].is_done) {
                at = nodes[at].first_child;
                depth++;
                continue;
            }
        }
        while (at != top && nodes[at].next_sibling == NONE) {
            at = nodes[at].parent;
            depth--;
        }
        at = at == top ? NONE : nodes[at].next_sibling;
    }
    return used;
}

const chainsi_trace_row *chainsi_trace_rows(const chainsi_trace_kept *trace, chainsi_arena *arena)
{
    const int count = (int)trace->span_count;
    node *nodes = chainsi_arena_array(arena, trace->span_count, sizeof *nodes);
    chainsi_trace_row *rows = chainsi_arena_array(arena, trace->span_count, sizeof *rows);
    int used = 0;
    for (const chainsi_traced_span *kept = trace->spans; kept; kept = kept->next)
        nodes[used++] = (node){
            .span = &kept->span,
            .parent = NONE,
            .first_child = NONE,
            .last_child = NONE,
            .next_sibling = NONE,
        };
    qsort(nodes, (size_t)count, sizeof *nodes, compare_nodes);
    link_nodes(nodes, count, arena);
    used = 0;
    for (int i = 0; i < count; i++)
        if (nodes[i].parent == NONE)
            used = add_rows(nodes, i, rows, used);
    /* What is left is in a ring, or below one, and begins where it began. */
    for (int i = 0; i < count; i++)
        if (!nodes[i].is_done) {
            nodes[i].is_orphan = true;
            used = add_rows(nodes, i, rows, used);
        }
    return rows;
}
