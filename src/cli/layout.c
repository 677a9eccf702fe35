/* Layers by the longest way from a box that nobody calls; an order in each that keeps crossings few, by moving places to the middle of
 * their neighbours and back; positions as near to the middle of the neighbours as the order allows; then where lines bend.
 *
 * Lines that leave one place share a track, and no two others share a piece of one. */
#include "cli/layout.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SWEEPS = 12 };

/* A layer: its places in order. */
typedef struct layer {
    size_t *places;
    size_t count;
} layer;

typedef struct worker {
    const chainsi_layout_options *options;
    chainsi_layout *layout;
    layer *layers;
    double *wish;  /* of each place: where it would like to be */
    size_t *index; /* of each place in its layer */
} worker;

static void *zeroed(chainsi_arena *arena, size_t count, size_t size)
{
    void *memory = chainsi_arena_array(arena, count + 1, size);
    memset(memory, 0, (count + 1) * size);
    return memory;
}

/* ------------------------------------------------------------------------------------------------
 * layers */

static size_t *find_layers(const chainsi_layout_options *o, chainsi_arena *arena)
{
    size_t *layers = zeroed(arena, o->box_count, sizeof *layers);
    bool changed = true;
    /* As often as the longest way is long; a cycle ends it, too. */
    for (size_t round = 0; changed && round < o->box_count; round++) {
        changed = false;
        for (size_t i = 0; i < o->arrow_count; i++) {
            const chainsi_layout_arrow *arrow = &o->arrows[i];
            if (layers[arrow->to] <= layers[arrow->from] &&
                layers[arrow->from] + 1 < o->box_count) {
                layers[arrow->to] = layers[arrow->from] + 1;
                changed = true;
            }
        }
    }
    return layers;
}

static void add_place(worker *w, bool is_box, size_t at, size_t size)
{
    w->layout->places[w->layout->place_count++] =
        (chainsi_layout_place){ .is_box = is_box, .layer = at, .size = size };
    if (at >= w->layout->layer_count)
        w->layout->layer_count = at + 1;
}

static void add_step(worker *w, size_t arrow, size_t from, size_t to)
{
    w->layout->steps[w->layout->step_count++] =
        (chainsi_layout_step){ .arrow = arrow, .from = from, .to = to, .track = SIZE_MAX };
}

/* Makes places of boxes, and of arrows that go over several layers; and the steps between them. */
static void make_places(worker *w)
{
    const chainsi_layout_options *o = w->options;
    chainsi_layout *l = w->layout;
    const size_t *layers = find_layers(o, &l->arena);
    size_t steps = 0;
    for (size_t i = 0; i < o->arrow_count; i++)
        if (layers[o->arrows[i].to] > layers[o->arrows[i].from])
            steps += layers[o->arrows[i].to] - layers[o->arrows[i].from];
    l->places = zeroed(&l->arena, o->box_count + steps, sizeof *l->places);
    l->steps = zeroed(&l->arena, steps, sizeof *l->steps);
    for (size_t i = 0; i < o->box_count; i++)
        add_place(w, true, layers[i], o->sizes[i]);
    for (size_t i = 0; i < o->arrow_count; i++) {
        const size_t first = layers[o->arrows[i].from], last = layers[o->arrows[i].to];
        size_t from = o->arrows[i].from;
        if (last <= first)
            continue; /* it closes a cycle */
        for (size_t at = first + 1; at < last; at++) {
            add_place(w, false, at, o->point_size);
            add_step(w, i, from, l->place_count - 1);
            from = l->place_count - 1;
        }
        add_step(w, i, from, o->arrows[i].to);
    }
}

/* ------------------------------------------------------------------------------------------------
 * order */

static void number_layer(worker *w, const layer *of)
{
    for (size_t i = 0; i < of->count; i++)
        w->index[of->places[i]] = i;
}

static void fill_layers(worker *w)
{
    chainsi_layout *l = w->layout;
    w->layers = zeroed(&l->arena, l->layer_count, sizeof *w->layers);
    w->index = zeroed(&l->arena, l->place_count, sizeof *w->index);
    w->wish = zeroed(&l->arena, l->place_count, sizeof *w->wish);
    for (size_t i = 0; i < l->place_count; i++)
        w->layers[l->places[i].layer].count++;
    for (size_t i = 0; i < l->layer_count; i++) {
        w->layers[i].places =
            chainsi_arena_array(&l->arena, w->layers[i].count, sizeof *w->layers[i].places);
        w->layers[i].count = 0;
    }
    for (size_t i = 0; i < l->place_count; i++) {
        layer *of = &w->layers[l->places[i].layer];
        w->index[i] = of->count;
        of->places[of->count++] = i;
    }
}

static size_t count_crossings(const worker *w)
{
    const chainsi_layout *l = w->layout;
    size_t crossings = 0;
    for (size_t i = 0; i < l->step_count; i++)
        for (size_t k = i + 1; k < l->step_count; k++) {
            const chainsi_layout_step *a = &l->steps[i], *b = &l->steps[k];
            if (l->places[a->from].layer != l->places[b->from].layer)
                continue;
            const size_t a_from = w->index[a->from], b_from = w->index[b->from];
            const size_t a_to = w->index[a->to], b_to = w->index[b->to];
            crossings += (a_from < b_from && a_to > b_to) || (a_from > b_from && a_to < b_to);
        }
    return crossings;
}

/* Has each place of a layer wish for the middle of those that it is linked to in the layer before (up) or behind. `of` says what counts as a
 * place's middle; without any a place wishes to stay. */
static void wish_for_middle(worker *w, size_t at, bool up,
                            double (*of)(const worker *w, size_t place))
{
    const chainsi_layout *l = w->layout;
    for (size_t i = 0; i < w->layers[at].count; i++) {
        const size_t place = w->layers[at].places[i];
        double sum = 0;
        size_t count = 0;
        for (size_t k = 0; k < l->step_count; k++) {
            const chainsi_layout_step *step = &l->steps[k];
            if ((up ? step->to : step->from) != place)
                continue;
            sum += of(w, up ? step->from : step->to);
            count++;
        }
        w->wish[place] = count ? sum / (double)count : of(w, place);
    }
}

static double index_of(const worker *w, size_t place)
{
    /* As a share of its layer, so that layers of several lengths can be compared. */
    const layer *of = &w->layers[w->layout->places[place].layer];
    return ((double)w->index[place] + 0.5) / (double)of->count;
}

/* Sorts by wish, and leaves those of the same wish in their order. */
static void sort_layer(worker *w, layer *of)
{
    for (size_t i = 1; i < of->count; i++) {
        const size_t place = of->places[i];
        size_t at = i;
        for (; at && w->wish[of->places[at - 1]] > w->wish[place] + 1e-9; at--)
            of->places[at] = of->places[at - 1];
        of->places[at] = place;
    }
    number_layer(w, of);
}

static void copy_order(worker *w, size_t *order, bool back)
{
    size_t at = 0;
    for (size_t i = 0; i < w->layout->layer_count; i++) {
        layer *of = &w->layers[i];
        if (of->count)
            memcpy(back ? of->places : order + at, back ? order + at : of->places,
                   of->count * sizeof *order);
        at += of->count;
        number_layer(w, of);
    }
}

static void find_order(worker *w)
{
    chainsi_layout *l = w->layout;
    size_t *best = zeroed(&l->arena, l->place_count, sizeof *best);
    size_t fewest = count_crossings(w);
    copy_order(w, best, false);
    for (int sweep = 0; sweep < SWEEPS && fewest; sweep++) {
        const bool down = sweep % 2 == 0;
        for (size_t i = 1; i < l->layer_count; i++) {
            const size_t at = down ? i : l->layer_count - 1 - i;
            wish_for_middle(w, at, down, index_of);
            sort_layer(w, &w->layers[at]);
        }
        const size_t crossings = count_crossings(w);
        if (crossings >= fewest)
            continue;
        fewest = crossings;
        copy_order(w, best, false);
    }
    copy_order(w, best, true);
}

/* ------------------------------------------------------------------------------------------------
 * positions */

static size_t middle_of(const chainsi_layout_place *place)
{
    return place->begin + place->size / 2;
}

static double position_of(const worker *w, size_t place)
{
    return (double)middle_of(&w->layout->places[place]);
}

/* Places of a layer that touch one another, and move as one. */
typedef struct block {
    size_t count;
    double sum; /* of where each would have it begin */
} block;

/* Puts the places of a layer as near to their wishes as their order and their sizes allow, by least squares: whoever would overlap makes one
 * block, whose middle is that of the wishes. */
static void place_layer(worker *w, const layer *of, chainsi_arena *arena)
{
    block *blocks = zeroed(arena, of->count, sizeof *blocks);
    size_t count = 0;
    double before = 0; /* what is taken by those before */
    for (size_t i = 0; i < of->count; i++) {
        const chainsi_layout_place *place = &w->layout->places[of->places[i]];
        blocks[count++] = (block){ 1, w->wish[of->places[i]] - (double)(place->size / 2) - before };
        before += (double)(place->size + w->options->gap);
        while (count > 1 && blocks[count - 2].sum / (double)blocks[count - 2].count >=
                                blocks[count - 1].sum / (double)blocks[count - 1].count) {
            blocks[count - 2].count += blocks[count - 1].count;
            blocks[count - 2].sum += blocks[count - 1].sum;
            count--;
        }
    }
    size_t at = 0, taken = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < blocks[i].count; k++) {
            chainsi_layout_place *place = &w->layout->places[of->places[at++]];
            const double begin = blocks[i].sum / (double)blocks[i].count;
            /* All wishes are far enough from zero: see spread(). */
            place->begin = taken + (size_t)(begin > 0 ? begin + 0.5 : 0);
            taken += place->size + w->options->gap;
        }
}

/* Begins with places side by side, far enough from zero for all to move. */
static void spread(worker *w)
{
    chainsi_layout *l = w->layout;
    size_t widest = 0;
    for (size_t i = 0; i < l->place_count; i++)
        widest += l->places[i].size + w->options->gap;
    for (size_t i = 0; i < l->layer_count; i++) {
        size_t at = widest;
        for (size_t k = 0; k < w->layers[i].count; k++) {
            chainsi_layout_place *place = &l->places[w->layers[i].places[k]];
            place->begin = at;
            at += place->size + w->options->gap;
        }
    }
}

static void find_positions(worker *w)
{
    chainsi_layout *l = w->layout;
    spread(w);
    for (int sweep = 0; sweep < SWEEPS + 1; sweep++) {
        const bool down = sweep % 2 == 0;
        for (size_t i = 0; i < l->layer_count; i++) {
            const size_t at = down ? i : l->layer_count - 1 - i;
            wish_for_middle(w, at, down, position_of);
            place_layer(w, &w->layers[at], &l->arena);
        }
    }
    size_t first = SIZE_MAX;
    for (size_t i = 0; i < l->place_count; i++)
        first = l->places[i].begin < first ? l->places[i].begin : first;
    for (size_t i = 0; i < l->place_count; i++) {
        chainsi_layout_place *place = &l->places[i];
        place->begin -= first;
        if (place->begin + place->size > l->extent)
            l->extent = place->begin + place->size;
    }
}

/* ------------------------------------------------------------------------------------------------
 * lines */

static bool is_near(size_t a, size_t b, size_t apart)
{
    return (a > b ? a - b : b - a) < apart;
}

/* Whether another line between these layers is at that position already: enters there, or too near in the same box; or leaves from
 * there another place than `from`. */
static bool is_taken(const worker *w, const chainsi_layout_step *step, size_t at, size_t until)
{
    const chainsi_layout *l = w->layout;
    const size_t apart =
        w->options->apart && l->places[step->to].is_box ? w->options->apart[step->to] : 1;
    for (size_t i = 0; i < l->step_count; i++) {
        const chainsi_layout_step *other = &l->steps[i];
        if (l->places[other->from].layer != l->places[step->from].layer || other == step)
            continue;
        if ((i < until && is_near(other->enters, at, other->to == step->to ? apart : 1)) ||
            (other->from != step->from && other->leaves == at))
            return true;
    }
    return false;
}

/* Where a line enters a box: straight from where it leaves if that is before it, else at its share of the box; beside that where it is taken. */
static size_t find_entry(const worker *w, size_t index, size_t rank, size_t count)
{
    const chainsi_layout *l = w->layout;
    const chainsi_layout_step *step = &l->steps[index];
    const chainsi_layout_place *to = &l->places[step->to];
    const size_t first = to->begin + (to->size > 2),
                 last = to->begin + to->size - 1 - (to->size > 2);
    size_t at =
        count == 1 ? middle_of(to) : first + ((last - first) * (2 * rank + 1)) / (2 * count);
    if (to->is_box && step->leaves >= first && step->leaves <= last)
        at = step->leaves;
    for (size_t off = 0; off <= last - first; off++) {
        if (at + off <= last && !is_taken(w, step, at + off, index))
            return at + off;
        if (at >= first + off && !is_taken(w, step, at - off, index))
            return at - off;
    }
    return at;
}

static void find_ends(worker *w)
{
    chainsi_layout *l = w->layout;
    for (size_t i = 0; i < l->step_count; i++)
        l->steps[i].leaves = middle_of(&l->places[l->steps[i].from]);
    for (size_t i = 0; i < l->step_count; i++) {
        size_t rank = 0, count = 0;
        for (size_t k = 0; k < l->step_count; k++) {
            if (l->steps[k].to != l->steps[i].to)
                continue;
            count++;
            rank += l->steps[k].leaves < l->steps[i].leaves;
        }
        l->steps[i].enters = find_entry(w, i, rank, count);
    }
}

/* All that leaves one place towards the next layer. */
typedef struct net {
    size_t from;
    size_t first, last; /* what of a track it takes */
    size_t track;
    bool placed;
} net;

static bool has_entry(const chainsi_layout *l, const net *it, size_t at)
{
    for (size_t i = 0; i < l->step_count; i++)
        if (l->steps[i].from == it->from && l->steps[i].enters == at)
            return true;
    return false;
}

/* The first track that it can have: behind those whose lines would else be on its own; SIZE_MAX: one of those has none yet. */
static size_t find_least_track(const worker *w, const net *nets, size_t count, const net *it)
{
    size_t least = 0;
    for (size_t i = 0; i < count; i++) {
        const net *other = &nets[i];
        if (other == it || !has_entry(w->layout, it, middle_of(&w->layout->places[other->from])))
            continue;
        if (!other->placed)
            return SIZE_MAX;
        least = other->track + 1 > least ? other->track + 1 : least;
    }
    return least;
}

static size_t find_track(const net *nets, size_t count, const net *it, size_t least)
{
    for (size_t track = least;; track++) {
        bool isfree = true;
        for (size_t i = 0; i < count && isfree; i++)
            isfree = !nets[i].placed || nets[i].track != track || nets[i].last + 1 < it->first ||
                     it->last + 1 < nets[i].first;
        if (isfree)
            return track;
    }
}

static size_t make_nets(const worker *w, size_t at, net *nets)
{
    const chainsi_layout *l = w->layout;
    size_t count = 0;
    for (size_t i = 0; i < w->layers[at].count; i++) {
        const size_t place = w->layers[at].places[i];
        net it = { .from = place, .first = SIZE_MAX };
        bool bends = false;
        for (size_t k = 0; k < l->step_count; k++) {
            const chainsi_layout_step *step = &l->steps[k];
            if (step->from != place)
                continue;
            const size_t low = step->leaves < step->enters ? step->leaves : step->enters;
            const size_t high = step->leaves < step->enters ? step->enters : step->leaves;
            it.first = low < it.first ? low : it.first;
            it.last = high > it.last ? high : it.last;
            bends = bends || low != high;
        }
        if (bends)
            nets[count++] = it;
    }
    return count;
}

static void find_tracks(worker *w)
{
    chainsi_layout *l = w->layout;
    l->tracks = zeroed(&l->arena, l->layer_count, sizeof *l->tracks);
    for (size_t at = 0; at < l->layer_count; at++) {
        net *nets = zeroed(&l->arena, w->layers[at].count, sizeof *nets);
        const size_t count = make_nets(w, at, nets);
        for (size_t done = 0; done < count; done++) {
            net *next = NULL;
            size_t least = 0;
            for (size_t i = 0; i < count && !next; i++)
                if (!nets[i].placed &&
                    (least = find_least_track(w, nets, count, &nets[i])) != SIZE_MAX)
                    next = &nets[i];
            for (size_t i = 0; i < count && !next; i++) /* they wait for one another */
                if (!nets[i].placed) {
                    next = &nets[i];
                    least = 0;
                }
            next->track = find_track(nets, count, next, least);
            next->placed = true;
            if (next->track + 1 > l->tracks[at])
                l->tracks[at] = next->track + 1;
        }
        for (size_t i = 0; i < l->step_count; i++)
            for (size_t k = 0; k < count; k++)
                if (nets[k].from == l->steps[i].from)
                    l->steps[i].track = nets[k].track;
    }
}

void chainsi_layout_make(chainsi_layout *layout, const chainsi_layout_options *options)
{
    *layout = (chainsi_layout){ 0 };
    worker w = { .options = options, .layout = layout };
    make_places(&w);
    fill_layers(&w);
    find_order(&w);
    find_positions(&w);
    find_ends(&w);
    find_tracks(&w);
}

void chainsi_layout_done(chainsi_layout *layout)
{
    chainsi_arena_done(&layout->arena);
    *layout = (chainsi_layout){ 0 };
}
