/* A graph as a tree: for terminals too narrow for boxes, and for those who want signatures. */
#include <stdint.h>
#include <string.h>

#include "base/terminal.h"
#include "cli/picture.h"

enum { MOST_DEPTH = 64 };

typedef struct tree {
    const chainsi_picture *picture;
    const chainsi_picture_style *style;
    chainsi_buffer *out;
    bool *shown;           /* of each box */
    bool more[MOST_DEPTH]; /* of each level: others come below */
} tree;

static const char *const leads[][2] = { { "|  ", "\u2502  " },
                                        { "|- ", "\u251c\u2500 " },
                                        { "`- ", "\u2514\u2500 " } };

static void add_indent(const tree *t, size_t depth)
{
    for (size_t i = 0; i < depth; i++)
        chainsi_buffer_add_text(t->out, t->more[i] ? leads[0][t->style->unicode] : "   ");
}

static void add_text(const tree *t, const char *text)
{
    chainsi_text_add(t->out, text, strlen(text), CHAINSI_TEXT_LINE);
}

static void add_details(tree *t, const chainsi_picture_box *box, size_t depth, bool calls)
{
    if (!box->details && !box->lines[0])
        return;
    add_indent(t, depth);
    chainsi_buffer_add_text(t->out, calls ? leads[0][t->style->unicode] : "   ");
    if (box->details)
        add_text(t, box->details);
    for (size_t i = 0; !box->details && i < CHAINSI_PICTURE_LINES && box->lines[i]; i++) {
        chainsi_buffer_add_text(t->out, i ? ", " : "");
        add_text(t, box->lines[i]);
    }
    chainsi_buffer_add_byte(t->out, '\n');
}

static size_t find_arrow(const chainsi_picture *picture, size_t from, size_t after)
{
    while (after < picture->arrow_count && picture->arrows[after].from != from)
        after++;
    return after;
}

/* by: the arrow that leads there; SIZE_MAX: none. */
static void add_box(tree *t, size_t index, size_t by, size_t depth, bool last)
{
    const chainsi_picture *picture = t->picture;
    const chainsi_picture_box *box = &picture->boxes[index];
    if (depth) {
        add_indent(t, depth - 1);
        chainsi_buffer_add_text(t->out, leads[last ? 2 : 1][t->style->unicode]);
        t->more[depth - 1] = !last;
    }
    add_text(t, box->name);
    if (box->note) {
        chainsi_buffer_add_text(t->out, " (");
        add_text(t, box->note);
        chainsi_buffer_add_text(t->out, ")");
    }
    if (by != SIZE_MAX && picture->labels[by]) {
        chainsi_buffer_add_text(t->out, ", ");
        add_text(t, picture->labels[by]);
    }
    if (t->shown[index] || depth + 1 >= MOST_DEPTH) {
        chainsi_buffer_add_text(t->out, " (see above)\n");
        return;
    }
    chainsi_buffer_add_byte(t->out, '\n');
    t->shown[index] = true;
    size_t arrow = find_arrow(picture, index, 0);
    add_details(t, box, depth, arrow < picture->arrow_count);
    while (arrow < picture->arrow_count) {
        const size_t next = find_arrow(picture, index, arrow + 1);
        add_box(t, picture->arrows[arrow].to, arrow, depth + 1, next == picture->arrow_count);
        arrow = next;
    }
}

void chainsi_picture_tree(const chainsi_picture *picture, const chainsi_picture_style *style,
                          chainsi_buffer *out)
{
    chainsi_arena arena = { 0 };
    tree t = { .picture = picture,
               .style = style,
               .out = out,
               .shown = chainsi_arena_array(&arena, picture->box_count + 1, sizeof *t.shown) };
    memset(t.shown, 0, (picture->box_count + 1) * sizeof *t.shown);
    if (picture->root != SIZE_MAX)
        add_box(&t, picture->root, SIZE_MAX, 0, true);
    for (size_t i = picture->box_count; i > 0; i--) /* callers first: what nobody reaches */
        if (!t.shown[i - 1])
            add_box(&t, i - 1, SIZE_MAX, 0, true);
    chainsi_arena_done(&arena);
}
