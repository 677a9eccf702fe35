#include "cli/graph_pictures.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cli/waterfall.h"
#include "compiler/graph.h"
#include "schema/json.h"

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

/* "12.3 calls/s, 2 % failed" */
static const char *count_words(const chainsi_live_rate *rate, chainsi_arena *arena)
{
    const char *calls = chainsi_arena_printf(arena, "%.3g calls/s", rate->calls_per_s);
    return rate->failed_per_s > 0
               ? chainsi_arena_printf(arena, "%s, %.2g %% failed", calls,
                                      100 * rate->failed_per_s / rate->calls_per_s)
               : calls;
}

/* "p50 1.2 ms, p99 4.5 ms"; NULL: none was timed. */
static const char *time_words(const chainsi_live_rate *rate, chainsi_arena *arena)
{
    char p50[32], p99[32];
    if (rate->p99_ms < 0)
        return NULL;
    chainsi_waterfall_time(p50, rate->p50_ms, false);
    chainsi_waterfall_time(p99, rate->p99_ms, false);
    return chainsi_arena_printf(arena, "p50 %s, p99 %s", p50, p99);
}

/* Both; NULL where nothing is known of rates. */
static const char *rate_words(const chainsi_live *live, const chainsi_live_rate *rate,
                              chainsi_arena *arena)
{
    if (live->seconds <= 0)
        return NULL;
    const char *counts = count_words(rate, arena), *times = time_words(rate, arena);
    return times ? chainsi_arena_printf(arena, "%s, %s", counts, times) : counts;
}

static chainsi_picture_mood mood_of(const char *state)
{
    return !strcmp(state, "ready")     ? CHAINSI_PICTURE_GOOD
           : !strcmp(state, "failed")  ? CHAINSI_PICTURE_BAD
           : !strcmp(state, "at_zero") ? CHAINSI_PICTURE_PLAIN
                                       : CHAINSI_PICTURE_BUSY;
}

static size_t find_chainlet(const chainsi_api_chainlets *chainlets, const char *name)
{
    size_t i = 0;
    while (i < chainlets->count && strcmp(chainlets->items[i].name, name) != 0)
        i++;
    return i;
}

static void describe_running(const chainsi_api_chain *chain, const chainsi_api_chainlet *chainlet,
                             const chainsi_live *live, chainsi_arena *arena,
                             chainsi_picture_box *box)
{
    const chainsi_live_rate rate =
        chainsi_live_chainlet(live, chain->name, chain->environment, chainlet->name);
    *box = (chainsi_picture_box){
        .name = chainlet->name,
        .note = chainlet->entrypoint ? "entrypoint" : NULL,
        .mood = mood_of(chainlet->state),
        .lines = {
            chainsi_arena_printf(arena, "%s, %lld of %lld", chainlet->state,
                                 (long long)chainlet->ready, (long long)chainlet->wanted),
            chainsi_arena_printf(arena, "%lld in flight, %lld waiting",
                                 (long long)chainlet->in_flight, (long long)chainlet->waiting),
        },
    };
    if (live->seconds <= 0)
        return;
    box->lines[2] = count_words(&rate, arena);
    box->lines[3] = time_words(&rate, arena);
}

void chainsi_graph_of_chain(const chainsi_api_chain *chain, const chainsi_live *live,
                            chainsi_arena *arena, chainsi_picture *picture)
{
    const chainsi_api_chainlets *chainlets = &chain->chainlets;
    size_t arrows = 0;
    for (size_t i = 0; i < chainlets->count; i++)
        arrows += chainlets->items[i].dependencies.count;
    make_room(picture, chainlets->count, arrows, arena);
    picture->title =
        chainsi_arena_printf(arena, "%s in %s, %s, %s", chain->name, chain->environment,
                             chain->version_id ? chain->version_id : "no version", chain->state);
    for (size_t i = 0; i < chainlets->count; i++) {
        const chainsi_api_chainlet *chainlet = &chainlets->items[i];
        describe_running(chain, chainlet, live, arena, &picture->boxes[picture->box_count++]);
        if (chainlet->entrypoint)
            picture->root = i;
        for (size_t k = 0; k < chainlet->dependencies.count; k++) {
            const char *callee = chainlet->dependencies.items[k];
            const size_t to = find_chainlet(chainlets, callee);
            if (to == chainlets->count || to == i)
                continue;
            const chainsi_live_rate rate =
                chainsi_live_calls(live, chain->name, chain->environment, chainlet->name, callee);
            picture->arrows[picture->arrow_count] = (chainsi_layout_arrow){ i, to };
            picture->labels[picture->arrow_count++] = rate_words(live, &rate, arena);
        }
    }
}

/* ------------------------------------------------------------------------------------------------
 * JSON */

static void add_text(chainsi_buffer *out, const char *before, const char *text)
{
    chainsi_buffer_add_text(out, before);
    chainsi_json_write_text(out, text);
}

static void add_number(chainsi_buffer *out, const char *before, double number)
{
    chainsi_buffer_add_text(out, before);
    if (number < 0)
        chainsi_buffer_add_text(out, "null");
    else
        chainsi_json_write_double(out, number);
}

static void add_rate(chainsi_buffer *out, const chainsi_live_rate *rate)
{
    add_number(out, ",\"calls_per_s\":", rate->calls_per_s);
    add_number(out, ",\"failed_per_s\":", rate->failed_per_s);
    add_number(out, ",\"p50_ms\":", rate->p50_ms);
    add_number(out, ",\"p99_ms\":", rate->p99_ms);
    chainsi_buffer_add_byte(out, '}');
}

void chainsi_graph_chain_json(const chainsi_api_chain *chain, const chainsi_live *live,
                              chainsi_buffer *out)
{
    const chainsi_api_chainlets *chainlets = &chain->chainlets;
    add_text(out, "{\"chain\":", chain->name);
    add_text(out, ",\"environment\":", chain->environment);
    add_text(out, ",\"version\":", chain->version_id);
    add_text(out, ",\"state\":", chain->state);
    add_text(out, ",\"entrypoint\":", chain->entrypoint);
    add_number(out, ",\"seconds\":", live->seconds);
    chainsi_buffer_add_text(out, ",\"chainlets\":[");
    for (size_t i = 0; i < chainlets->count; i++) {
        const chainsi_api_chainlet *chainlet = &chainlets->items[i];
        const chainsi_live_rate rate =
            chainsi_live_chainlet(live, chain->name, chain->environment, chainlet->name);
        add_text(out, i ? ",{\"name\":" : "{\"name\":", chainlet->name);
        add_text(out, ",\"state\":", chainlet->state);
        chainsi_buffer_printf(out,
                              ",\"ready\":%lld,\"wanted\":%lld,\"in_flight\":%lld,\"waiting\":%lld",
                              (long long)chainlet->ready, (long long)chainlet->wanted,
                              (long long)chainlet->in_flight, (long long)chainlet->waiting);
        add_rate(out, &rate);
    }
    chainsi_buffer_add_text(out, "],\"calls\":[");
    bool first = true;
    for (size_t i = 0; i < chainlets->count; i++)
        for (size_t k = 0; k < chainlets->items[i].dependencies.count; k++) {
            const char *from = chainlets->items[i].name;
            const char *to = chainlets->items[i].dependencies.items[k];
            const chainsi_live_rate rate =
                chainsi_live_calls(live, chain->name, chain->environment, from, to);
            add_text(out, first ? "{\"from\":" : ",{\"from\":", from);
            add_text(out, ",\"to\":", to);
            add_rate(out, &rate);
            first = false;
        }
    chainsi_buffer_add_text(out, "]}");
}
