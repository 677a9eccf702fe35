/* Boxes and arrows as characters. Lines are drawn into cells as the sides that they go to, so that what meets becomes a corner or a crossing
 * by itself; words lie over them. From left to right everything is the same with x and y exchanged. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/terminal.h"
#include "cli/picture.h"

enum { UP = 1, RIGHT = 2, DOWN = 4, LEFT = 8 };
enum {
    GAP_DOWN = 3,   /* columns between boxes side by side */
    GAP_RIGHT = 1,  /* rows between boxes one over the other */
    MOST_NAME = 40, /* columns of a line in a box */
};

/* Words over cells. */
typedef struct words {
    size_t x, y, columns;
    const char *text, *color;
    bool mark; /* of ours: shown as it is */
} words;

typedef struct canvas {
    size_t width, height;
    uint8_t *cells;
    words *words; /* room for all */
    size_t words_count;
    bool sideways; /* from left to right */
} canvas;

static void mark(canvas *c, size_t along, size_t across, uint8_t sides)
{
    const size_t x = c->sideways ? across : along, y = c->sideways ? along : across;
    /* Sideways what is up is left, and what is right is down. */
    if (c->sideways)
        sides = (uint8_t)((sides & UP ? LEFT : 0) | (sides & LEFT ? UP : 0) |
                          (sides & RIGHT ? DOWN : 0) | (sides & DOWN ? RIGHT : 0));
    if (x < c->width && y < c->height)
        c->cells[y * c->width + x] |= sides;
}

/* A line across layers from one place to another, both included: only the sides within it. */
static void line_across(canvas *c, size_t along, size_t from, size_t to)
{
    for (size_t at = from; at < to; at++) {
        mark(c, along, at, DOWN);
        mark(c, along, at + 1, UP);
    }
}

static void line_along(canvas *c, size_t across, size_t from, size_t to)
{
    for (size_t at = from; at < to; at++) {
        mark(c, at, across, RIGHT);
        mark(c, at + 1, across, LEFT);
    }
}

static void add_words(canvas *c, const words *it)
{
    c->words[c->words_count++] = *it;
}

/* ------------------------------------------------------------------------------------------------
 * sizes */

size_t chainsi_picture_count_lines(const chainsi_picture_box *box)
{
    size_t count = 1;
    while (count <= CHAINSI_PICTURE_LINES && box->lines[count - 1])
        count++;
    return count;
}

static const char *line_of(const chainsi_picture_box *box, size_t i)
{
    return i ? box->lines[i - 1] : box->name;
}

static size_t count_arrows_to(const chainsi_picture *picture, size_t box)
{
    size_t count = 0;
    for (size_t i = 0; i < picture->arrow_count; i++)
        count += picture->arrows[i].to == box;
    return count;
}

typedef struct measures {
    size_t *wide, *high; /* of each box, with its border */
} measures;

static measures measure(const chainsi_picture *picture, bool sideways, chainsi_arena *arena)
{
    measures m = {
        chainsi_arena_array(arena, picture->box_count + 1, sizeof *m.wide),
        chainsi_arena_array(arena, picture->box_count + 1, sizeof *m.high),
    };
    for (size_t i = 0; i < picture->box_count; i++) {
        const chainsi_picture_box *box = &picture->boxes[i];
        const size_t arrows = count_arrows_to(picture, i);
        size_t wide = 0, high = chainsi_picture_count_lines(box);
        for (size_t k = 0; k < high; k++) {
            const size_t columns = chainsi_text_columns(line_of(box, k));
            wide = columns > wide ? columns : wide;
        }
        wide = (wide > MOST_NAME ? (size_t)MOST_NAME : wide) + 4;
        high += 2;
        if (sideways)
            high = arrows + 2 > high ? arrows + 2 : high;
        else
            wide = 2 * arrows + 2 > wide ? 2 * arrows + 2 : wide;
        m.wide[i] = wide;
        m.high[i] = high;
    }
    return m;
}

/* ------------------------------------------------------------------------------------------------
 * drawing */

static const char *color_of(chainsi_picture_mood mood)
{
    return mood == CHAINSI_PICTURE_GOOD   ? "32"
           : mood == CHAINSI_PICTURE_BUSY ? "33"
           : mood == CHAINSI_PICTURE_BAD  ? "31"
                                          : NULL;
}

static void draw_box(canvas *c, const chainsi_picture_box *box, size_t along, size_t across,
                     size_t wide, size_t high)
{
    const size_t x = c->sideways ? across : along, y = c->sideways ? along : across;
    const size_t size_along = c->sideways ? high : wide, size_across = c->sideways ? wide : high;
    line_along(c, across, along, along + size_along - 1);
    line_along(c, across + size_across - 1, along, along + size_along - 1);
    line_across(c, along, across, across + size_across - 1);
    line_across(c, along + size_along - 1, across, across + size_across - 1);
    const size_t lines = chainsi_picture_count_lines(box);
    for (size_t i = 0; i < lines; i++) {
        const char *text = line_of(box, i);
        const size_t own = chainsi_text_columns(text), room = wide - 4;
        const size_t columns = own < room ? own : room;
        add_words(c, &(words){
                         .x = x + 2 + (room - columns) / 2,
                         .y = y + 1 + i + (high - 2 - lines) / 2,
                         .columns = columns,
                         .text = text,
                         .color = i == 0   ? "1"
                                  : i == 1 ? color_of(box->mood)
                                           : NULL,
                     });
    }
}

static void draw_head(canvas *c, size_t along, size_t across, bool unicode)
{
    static const char *const heads[2][2] = { { "v", "\u25bc" }, { ">", "\u25b6" } };
    add_words(c, &(words){ .x = c->sideways ? across : along,
                           .y = c->sideways ? along : across,
                           .columns = 1,
                           .text = heads[c->sideways][unicode],
                           .mark = true });
}

/* Where layers are, across. */
typedef struct bands {
    size_t *begins, *sizes; /* of each layer's boxes */
    size_t extent;
    size_t lead; /* before the first track */
} bands;

static bands find_bands(const chainsi_layout *l, const size_t *sizes, bool sideways,
                        chainsi_arena *arena)
{
    bands b = { .begins = chainsi_arena_array(arena, l->layer_count + 1, sizeof *b.begins),
                .sizes = chainsi_arena_array(arena, l->layer_count + 1, sizeof *b.sizes),
                .lead = sideways };
    for (size_t at = 0; at < l->layer_count; at++) {
        b.begins[at] = b.extent;
        b.sizes[at] = 1;
        for (size_t i = 0; i < l->place_count; i++)
            if (l->places[i].is_box && l->places[i].layer == at && sizes[i] > b.sizes[at])
                b.sizes[at] = sizes[i];
        b.extent += b.sizes[at];
        if (at + 1 < l->layer_count)
            b.extent += b.lead + (l->tracks[at] ? l->tracks[at] : 1) + 1;
    }
    return b;
}

static void draw_step(canvas *c, const chainsi_layout *l, const chainsi_layout_step *step,
                      const bands *b, const size_t *sizes, bool unicode)
{
    const chainsi_layout_place *from = &l->places[step->from], *to = &l->places[step->to];
    const size_t end = b->begins[from->layer] + b->sizes[from->layer];
    /* A box may be smaller than its layer. */
    const size_t begin =
        from->is_box ? b->begins[from->layer] + sizes[step->from] - 1 : b->begins[from->layer];
    const size_t into = b->begins[to->layer];
    if (step->leaves == step->enters) {
        line_across(c, step->leaves, begin, to->is_box ? into - 1 : into);
    } else {
        const size_t track = end + b->lead + step->track;
        line_across(c, step->leaves, begin, track);
        line_along(c, track, step->leaves < step->enters ? step->leaves : step->enters,
                   step->leaves < step->enters ? step->enters : step->leaves);
        line_across(c, step->enters, track, to->is_box ? into - 1 : into);
    }
    if (to->is_box) {
        draw_head(c, step->enters, into - 1, unicode);
        return;
    }
    /* Through the layer, bending in its first row if it has to. */
    const size_t leaves = to->begin + to->size / 2;
    line_along(c, into, step->enters < leaves ? step->enters : leaves,
               step->enters < leaves ? leaves : step->enters);
}

/* ------------------------------------------------------------------------------------------------
 * writing */

static const char *glyph(uint8_t sides, bool unicode)
{
    static const char *const lines[16] = {
        " ",      "\u2502", "\u2500", "\u2514", "\u2502", "\u2502", "\u250c", "\u251c",
        "\u2500", "\u2518", "\u2500", "\u2534", "\u2510", "\u2524", "\u252c", "\u253c",
    };
    if (unicode)
        return lines[sides];
    return !sides                                 ? " "
           : !(sides & (uint8_t) ~(UP | DOWN))    ? "|"
           : !(sides & (uint8_t) ~(LEFT | RIGHT)) ? "-"
                                                  : "+";
}

static int compare_words(const void *a, const void *b)
{
    const words *one = a, *other = b;
    if (one->y != other->y)
        return one->y < other->y ? -1 : 1;
    return one->x < other->x ? -1 : one->x > other->x;
}

static void write_words(const words *it, const chainsi_picture_style *style, chainsi_buffer *out)
{
    const bool colored = style->color && it->color;
    if (colored)
        chainsi_buffer_printf(out, "\x1b[%sm", it->color);
    if (it->mark)
        chainsi_buffer_add_text(out, it->text);
    else
        chainsi_text_add_cell(out, it->text, it->columns, false, style->unicode);
    if (colored)
        chainsi_buffer_add_text(out, "\x1b[0m");
}

static void write_canvas(canvas *c, const chainsi_picture_style *style, chainsi_buffer *out)
{
    if (c->words_count)
        qsort(c->words, c->words_count, sizeof *c->words, compare_words);
    size_t next = 0;
    for (size_t y = 0; y < c->height; y++) {
        const uint8_t *row = c->cells + y * c->width;
        size_t end = c->width;
        size_t last = next;
        while (last < c->words_count && c->words[last].y == y)
            last++;
        while (end && !row[end - 1])
            end--;
        if (last > next && c->words[last - 1].x + c->words[last - 1].columns > end)
            end = c->words[last - 1].x + c->words[last - 1].columns;
        for (size_t x = 0; x < end;) {
            if (next < last && c->words[next].x == x) {
                write_words(&c->words[next], style, out);
                x += c->words[next++].columns;
                continue;
            }
            chainsi_buffer_add_text(out, glyph(row[x++], style->unicode));
        }
        next = last;
        chainsi_buffer_add_byte(out, '\n');
    }
}

static void write_labels(const chainsi_picture *picture, const chainsi_picture_style *style,
                         chainsi_buffer *out)
{
    size_t widest[2] = { 0, 0 };
    bool first = true;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < picture->arrow_count; i++) {
            if (!picture->labels[i])
                continue;
            const char *from = picture->boxes[picture->arrows[i].from].name;
            const char *to = picture->boxes[picture->arrows[i].to].name;
            const size_t wide[] = { chainsi_text_columns(from), chainsi_text_columns(to) };
            if (pass == 0) {
                for (int k = 0; k < 2; k++)
                    widest[k] = wide[k] > widest[k] ? wide[k] : widest[k];
                continue;
            }
            chainsi_buffer_add_text(out, first ? "\n" : "");
            first = false;
            chainsi_buffer line = { 0 };
            chainsi_text_add_cell(&line, from, widest[0], false, style->unicode);
            chainsi_buffer_add_text(&line, style->unicode ? " \u2192 " : " -> ");
            chainsi_text_add_cell(&line, to, widest[1], false, style->unicode);
            chainsi_buffer_add_text(&line, "  ");
            chainsi_text_add(&line, picture->labels[i], strlen(picture->labels[i]),
                             CHAINSI_TEXT_LINE);
            chainsi_buffer_add_byte(&line, 0);
            chainsi_text_add_cut(out, (const char *)line.data,
                                 style->columns ? style->columns : SIZE_MAX / 2, style->unicode);
            chainsi_buffer_add_byte(out, '\n');
            chainsi_buffer_done(&line);
        }
    }
}

/* Draws it in one direction; false: there is no room. */
static bool draw(const chainsi_picture *picture, const chainsi_picture_style *style, bool sideways,
                 chainsi_buffer *out)
{
    chainsi_arena arena = { 0 };
    chainsi_layout l;
    const measures m = measure(picture, sideways, &arena);
    const size_t *along = sideways ? m.high : m.wide, *across = sideways ? m.wide : m.high;
    chainsi_layout_make(&l, &(chainsi_layout_options){
                                .sizes = along,
                                .box_count = picture->box_count,
                                .arrows = picture->arrows,
                                .arrow_count = picture->arrow_count,
                                .gap = sideways ? GAP_RIGHT : GAP_DOWN,
                                .point_size = 1,
                            });
    const bands b = find_bands(&l, across, sideways, &arena);
    canvas c = {
        .width = sideways ? b.extent : l.extent,
        .height = sideways ? l.extent : b.extent,
        .sideways = sideways,
        .words = chainsi_arena_array(
            &arena, picture->box_count * (CHAINSI_PICTURE_LINES + 1) + l.step_count + 1,
            sizeof *c.words),
    };
    const bool fits = !style->columns || c.width <= style->columns;
    if (fits) {
        c.cells = calloc(c.width * c.height + 1, 1);
        if (!c.cells)
            abort();
        for (size_t i = 0; i < picture->box_count; i++)
            draw_box(&c, &picture->boxes[i], l.places[i].begin, b.begins[l.places[i].layer],
                     m.wide[i], m.high[i]);
        for (size_t i = 0; i < l.step_count; i++)
            draw_step(&c, &l, &l.steps[i], &b, across, style->unicode);
        /* What only passes a layer. */
        for (size_t i = picture->box_count; i < l.place_count; i++) {
            const size_t begin = b.begins[l.places[i].layer];
            line_across(&c, l.places[i].begin + l.places[i].size / 2, begin,
                        begin + b.sizes[l.places[i].layer] - 1);
        }
        write_canvas(&c, style, out);
        write_labels(picture, style, out);
        free(c.cells);
    }
    chainsi_layout_done(&l);
    chainsi_arena_done(&arena);
    return fits;
}

bool chainsi_picture_text(const chainsi_picture *picture, const chainsi_picture_style *style,
                          chainsi_buffer *out)
{
    return draw(picture, style, false, out) || draw(picture, style, true, out);
}
