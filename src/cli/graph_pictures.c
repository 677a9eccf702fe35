#include "cli/graph_pictures.h"

#include <stdint.h>
#include <string.h>

#include "cli/rate.h"
#include "compiler/graph.h"

static void make_room(chainsi_picture *picture, size_t boxes, size_t arrows, chainsi_arena *arena)
{
    *picture = (chainsi_picture){
        .boxes = chainsi_arena_array(arena, boxes + 1, sizeof *picture->boxes),
        .arrows = chainsi_arena_array(arena, arrows + 1, sizeof *picture->arrows),
        .labels = chainsi_arena_array(arena, arrows + 1, sizeof *picture->labels),
        .root = SIZE_MAX,
    };
}

/* What a buffer has, as text in arena; NULL if that is nothing. Empties it. */
static const char *take(chainsi_buffer *buffer, chainsi_arena *arena)
{
    const char *text = buffer->size ? chainsi_arena_copy(arena, buffer->data, buffer->size) : NULL;
    chainsi_buffer_done(buffer);
    *buffer = (chainsi_buffer){ 0 };
    return text;
}

/* ------------------------------------------------------------------------------------------------
 * headers */

static void describe_box(const chainsi_model *model, const chainsi_model_chainlet *chainlet,
                         chainsi_arena *arena, chainsi_picture_box *box)
{
    chainsi_buffer text = { 0 };
    size_t lines = 0;
    *box = (chainsi_picture_box){ .name = chainlet->wire_name, .outside = chainlet->external };
    if (chainlet == model->entrypoint)
        box->note = "entrypoint";
    else if (chainlet->external)
        box->note = chainsi_arena_printf(
            arena, "external: %s",
            chainlet->external_config.url ? chainlet->external_config.url : "no url");
    if (box->note)
        box->lines[lines++] = chainlet->external ? "external" : box->note;
    chainsi_graph_hardware(chainlet, &text);
    box->lines[lines] = take(&text, arena);
    chainsi_graph_signature(chainlet, &text);
    box->details = take(&text, arena);
}

void chainsi_graph_of_model(const chainsi_model *model, chainsi_arena *arena,
                            chainsi_picture *picture)
{
    size_t arrows = 0;
    for (size_t i = 0; i < model->chainlet_count; i++)
        arrows += model->chainlets[i]->dependency_count;
    make_room(picture, model->chainlet_count, arrows, arena);
    for (size_t i = 0; i < model->chainlet_count; i++) {
        const chainsi_model_chainlet *chainlet = model->chainlets[i];
        describe_box(model, chainlet, arena, &picture->boxes[picture->box_count++]);
        for (size_t k = 0; k < chainlet->dependency_count; k++) {
            chainsi_buffer text = { 0 };
            chainsi_graph_options(&chainlet->dependencies[k], &text);
            picture->arrows[picture->arrow_count] =
                (chainsi_layout_arrow){ i, chainlet->dependencies[k].chainlet->index };
            picture->labels[picture->arrow_count++] = take(&text, arena);
        }
    }
    if (model->entrypoint) {
        picture->root = model->entrypoint->index;
        picture->title = model->entrypoint->wire_name;
    }
}

/* ------------------------------------------------------------------------------------------------
 * what runs */

static chainsi_picture_mood mood_of(const char *state)
{
    return !strcmp(state, "ready")     ? CHAINSI_PICTURE_GOOD
           : !strcmp(state, "failed")  ? CHAINSI_PICTURE_BAD
           : !strcmp(state, "at_zero") ? CHAINSI_PICTURE_PLAIN
                                       : CHAINSI_PICTURE_BUSY;
}

static size_t find_box(const chainsi_api_boxes *boxes, const char *name)
{
    size_t i = 0;
    while (i < boxes->count && strcmp(boxes->items[i].name, name) != 0)
        i++;
    return i;
}

static void describe_running(const chainsi_api_box *it, chainsi_arena *arena,
                             chainsi_picture_box *box)
{
    const chainsi_rate rate = CHAINSI_RATE_OF(it);
    *box = (chainsi_picture_box){
        .name = it->name,
        .note = it->entrypoint ? "entrypoint" : NULL,
        .mood = mood_of(it->state),
    };
    if (it->external) {
        *box = (chainsi_picture_box){ .name = it->name, .outside = true, .lines = { "external" } };
    } else if (it->colocated_in) {
        box->lines[0] = chainsi_arena_printf(arena, "inside %s", it->colocated_in);
    } else {
        box->lines[0] = chainsi_arena_printf(arena, "%s, %lld of %lld", it->state,
                                             (long long)it->ready, (long long)it->wanted);
        box->lines[1] = chainsi_arena_printf(arena, "%lld in flight, %lld waiting",
                                             (long long)it->in_flight, (long long)it->waiting);
        box->lines[2] = chainsi_rate_count_words(&rate, arena);
        box->lines[3] = box->lines[2] ? chainsi_rate_time_words(&rate, arena) : NULL;
    }
}

static const char *describe_calls(const chainsi_api_arrow *it, chainsi_arena *arena)
{
    const chainsi_rate rate = CHAINSI_RATE_OF(it), retries = { .calls_per_s = it->retries_per_s };
    const char *words = it->colocated ? "in one process" : chainsi_rate_words(&rate, arena);
    return words && it->retries_per_s && *it->retries_per_s > 0
               ? chainsi_arena_printf(arena, "%s, %s retries/s", words,
                                      chainsi_rate_calls(&retries, arena))
               : words;
}

void chainsi_graph_of_chain(const chainsi_api_graph *graph, chainsi_arena *arena,
                            chainsi_picture *picture)
{
    const chainsi_api_boxes *boxes = &graph->chainlets;
    make_room(picture, boxes->count, graph->edges.count, arena);
    picture->title = chainsi_arena_printf(
        arena, "%s in %s, %s, calls of the last %lld s", graph->chain, graph->environment,
        graph->version_id ? graph->version_id : "no version", (long long)graph->window_s);
    for (size_t i = 0; i < boxes->count; i++) {
        describe_running(&boxes->items[i], arena, &picture->boxes[picture->box_count++]);
        if (boxes->items[i].entrypoint)
            picture->root = i;
    }
    for (size_t i = 0; i < graph->edges.count; i++) {
        const chainsi_api_arrow *it = &graph->edges.items[i];
        const size_t from = find_box(boxes, it->caller), to = find_box(boxes, it->callee);
        if (from == boxes->count || to == boxes->count || from == to)
            continue;
        picture->arrows[picture->arrow_count] = (chainsi_layout_arrow){ from, to };
        picture->labels[picture->arrow_count++] = describe_calls(it, arena);
    }
}
