/* A graph for Graphviz. */
#include <string.h>

#include "base/terminal.h"
#include "cli/picture.h"

/* Text within quotes: made fit first, then its quotes and backslashes escaped. */
static void add_escaped(chainsi_buffer *out, const char *text)
{
    chainsi_buffer fit = { 0 };
    chainsi_text_add(&fit, text, strlen(text), CHAINSI_TEXT_LINE);
    for (size_t i = 0; i < fit.size; i++) {
        if (fit.data[i] == '"' || fit.data[i] == '\\')
            chainsi_buffer_add_byte(out, '\\');
        chainsi_buffer_add_byte(out, fit.data[i]);
    }
    chainsi_buffer_done(&fit);
}

static void add_quoted(chainsi_buffer *out, const char *text)
{
    chainsi_buffer_add_byte(out, '"');
    add_escaped(out, text);
    chainsi_buffer_add_byte(out, '"');
}

static void add_box(const chainsi_picture_box *box, chainsi_buffer *out)
{
    static const char *const colors[] = {
        [CHAINSI_PICTURE_PLAIN] = "black",
        [CHAINSI_PICTURE_GOOD] = "darkgreen",
        [CHAINSI_PICTURE_BUSY] = "darkorange",
        [CHAINSI_PICTURE_BAD] = "red",
    };
    chainsi_buffer_add_text(out, "  ");
    add_quoted(out, box->name);
    chainsi_buffer_add_text(out, " [label=\"");
    add_escaped(out, box->name);
    for (size_t i = 0; i < CHAINSI_PICTURE_LINES && box->lines[i]; i++) {
        chainsi_buffer_add_text(out, "\\n");
        add_escaped(out, box->lines[i]);
    }
    chainsi_buffer_printf(out, "\", color=%s%s];\n", colors[box->mood],
                          box->outside ? ", style=dashed" : "");
}

void chainsi_picture_dot(const chainsi_picture *picture, chainsi_buffer *out)
{
    chainsi_buffer_add_text(out, "digraph ");
    add_quoted(out, picture->title ? picture->title : "chain");
    chainsi_buffer_add_text(out, " {\n  node [shape=box];\n");
    for (size_t i = 0; i < picture->box_count; i++)
        add_box(&picture->boxes[i], out);
    for (size_t i = 0; i < picture->arrow_count; i++) {
        chainsi_buffer_add_text(out, "  ");
        add_quoted(out, picture->boxes[picture->arrows[i].from].name);
        chainsi_buffer_add_text(out, " -> ");
        add_quoted(out, picture->boxes[picture->arrows[i].to].name);
        if (picture->labels[i]) {
            chainsi_buffer_add_text(out, " [label=");
            add_quoted(out, picture->labels[i]);
            chainsi_buffer_add_byte(out, ']');
        }
        chainsi_buffer_add_text(out, ";\n");
    }
    chainsi_buffer_add_text(out, "}\n");
}
