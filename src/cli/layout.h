/* Where boxes and arrows go: layers, in each of which boxes stand beside one another, and lines from each layer to the next. Pure.
 *
 * There are two directions: `along` a layer, and `across` layers, the way of the arrows. Drawn from top to bottom, along is x and across is
 * y; from left to right it is the other way round. Positions are in units of whoever draws. An arrow over several layers goes through
 * places in those between; a place is either a box or such a point. */
#ifndef CHAINSI_CLI_LAYOUT_H
#define CHAINSI_CLI_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

typedef struct chainsi_layout_arrow {
    size_t from, to; /* boxes; from isn't to. A cycle is cut somewhere */
} chainsi_layout_arrow;

typedef struct chainsi_layout_options {
    const size_t *sizes; /* of each box, along */
    size_t box_count;
    const chainsi_layout_arrow *arrows;
    size_t arrow_count;
    size_t gap;        /* between two places of a layer, at least */
    size_t point_size; /* what a point takes, along */
    const size_t *
        apart; /* of each box: how far lines that enter it are from one another, as far as it is large enough; NULL: 1 */
} chainsi_layout_options;

typedef struct chainsi_layout_place {
    bool is_box; /* the boxes are the first places, in their order */
    size_t layer;
    size_t begin, size; /* along */
} chainsi_layout_place;

/* One line from a layer to the next. */
typedef struct chainsi_layout_step {
    size_t arrow;
    size_t from, to; /* places */
    size_t leaves;   /* along: where it leaves, which is one place for all that leave there */
    size_t
        enters; /* along: where it enters, which is another one for each, as far as there is room */
    size_t
        track; /* 0 is the first beside the layer that it leaves; SIZE_MAX: it is straight and needs none */
} chainsi_layout_step;

typedef struct chainsi_layout {
    chainsi_arena arena;
    chainsi_layout_place *places;
    size_t place_count;
    chainsi_layout_step *steps; /* of an arrow one after the other */
    size_t step_count;
    size_t layer_count;
    size_t *tracks; /* of each layer: how many there are behind it */
    size_t extent;  /* along: what all takes */
} chainsi_layout;

/* chainsi_layout_done ends it. */
void chainsi_layout_make(chainsi_layout *layout, const chainsi_layout_options *options);
void chainsi_layout_done(chainsi_layout *layout);

#endif
