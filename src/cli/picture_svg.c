/* A graph as SVG: the same layout in pixels, with a fixed width a character, so that text fits whatever the font. Arrows are curves; what one
 * is labelled with stands beside its head, a line for each part between commas. */
#include <stdint.h>
#include <string.h>

#include "base/terminal.h"
#include "cli/picture.h"

enum {
    CHARACTER = 8, /* pixels */
    LINE = 18,
    PAD = 12,
    GAP = 28,
    MARGIN = 16,
    BETWEEN = 56,      /* layers */
    MOST_COLUMNS = 48, /* of a line */
    LABEL = 7,         /* a character of a label */
    LABEL_LINE = 13,
    APART = 16,     /* arrows without labels */
    MOST_PARTS = 4, /* of a label */
};

/* Text as XML has it: what is no character of it is an escape already. */
static void add_escaped(chainsi_buffer *out, const char *text)
{
    chainsi_buffer fit = { 0 };
    chainsi_text_add_cut(&fit, text, MOST_COLUMNS, true);
    for (size_t i = 0; i < fit.size; i++) {
        const char c = (char)fit.data[i];
        if (c == '<' || c == '>' || c == '&' || c == '"' || c == '\'')
            chainsi_buffer_printf(out, "&#%d;", c);
        else
            chainsi_buffer_add_byte(out, fit.data[i]);
    }
    chainsi_buffer_done(&fit);
}

static size_t columns_of(const char *text)
{
    const size_t columns = chainsi_text_columns(text);
    return columns < MOST_COLUMNS ? columns : MOST_COLUMNS;
}

/* Cuts what is before the next ", " off a label, into arena. NULL: there is nothing more. */
static const char *take_part(const char **label, chainsi_arena *arena)
{
    if (!*label || !**label)
        return NULL;
    const char *comma = strstr(*label, ", ");
    const size_t size = comma ? (size_t)(comma - *label) : strlen(*label);
    const char *part = chainsi_arena_copy(arena, *label, size);
    *label += comma ? size + 2 : size;
    return part;
}

/* What the labels of arrows take beside their heads: pixels and lines. */
typedef struct label_size {
    size_t width, lines;
} label_size;

static label_size measure_label(const char *label, chainsi_arena *arena)
{
    label_size size = { APART, 0 };
    for (const char *part; size.lines < MOST_PARTS && (part = take_part(&label, arena));) {
        const size_t width = LABEL * (columns_of(part) + 2);
        size.width = width > size.width ? width : size.width;
        size.lines++;
    }
    return size;
}

/* How far arrows into a box are from one another; *count gets how many there are. */
static size_t find_apart(const chainsi_picture *picture, size_t index, size_t *count,
                         chainsi_arena *arena)
{
    size_t apart = APART;
    *count = 0;
    for (size_t i = 0; i < picture->arrow_count; i++) {
        if (picture->arrows[i].to != index)
            continue;
        const size_t own = measure_label(picture->labels[i], arena).width;
        apart = own > apart ? own : apart;
        ++*count;
    }
    return apart;
}

static size_t width_of(const chainsi_picture_box *box)
{
    size_t columns = columns_of(box->name);
    for (size_t i = 0; i < CHAINSI_PICTURE_LINES && box->lines[i]; i++)
        columns = columns_of(box->lines[i]) > columns ? columns_of(box->lines[i]) : columns;
    return columns * CHARACTER + 2 * PAD;
}

static void add_style(chainsi_buffer *out)
{
    chainsi_buffer_add_text(
        out,
        "<style>\n"
        "text{font:13px ui-monospace,Menlo,Consolas,monospace;text-anchor:middle;fill:#1b1f24}\n"
        ".n{font-weight:bold}.l{font-size:11px;fill:#57606a;text-anchor:start;paint-order:stroke;"
        "stroke:#fff;stroke-width:4}\n"
        "rect{fill:#f6f8fa;stroke:#57606a;stroke-width:1.5}\n"
        ".good{stroke:#1a7f37}.busy{stroke:#bf8700}.bad{stroke:#cf222e}\n"
        ".back{fill:#fff;stroke:none}.outside{stroke-dasharray:5 4}\n"
        "path{fill:none;stroke:#57606a;stroke-width:1.5}.h{fill:#57606a;stroke:none}\n"
        "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.l{fill:#9198a1;stroke:#0d1117}\n"
        "rect{fill:#161b22}rect,path{stroke:#9198a1}.h{fill:#9198a1;stroke:none}\n"
        ".back{fill:#0d1117;stroke:none}\n"
        ".good{stroke:#3fb950}.busy{stroke:#d29922}.bad{stroke:#f85149}}\n"
        "</style>\n"
        "<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" "
        "markerHeight=\"8\" orient=\"auto\"><path class=\"h\" d=\"M0 0L8 4L0 8z\"/></marker>"
        "</defs>\n");
}

static void add_text(const char *class, size_t x, size_t y, const char *text, chainsi_buffer *out)
{
    chainsi_buffer_printf(out, "<text%s x=\"%zu\" y=\"%zu\">", class, x, y);
    add_escaped(out, text);
    chainsi_buffer_add_text(out, "</text>\n");
}

static void add_box(const chainsi_picture_box *box, size_t x, size_t y, size_t width,
                    chainsi_buffer *out)
{
    static const char *const moods[] = { "", "good", "busy", "bad" };
    const size_t height = chainsi_picture_count_lines(box) * LINE + PAD;
    chainsi_buffer_printf(out,
                          "<rect class=\"%s%s\" x=\"%zu\" y=\"%zu\" width=\"%zu\" height=\"%zu\" "
                          "rx=\"6\"/>\n",
                          moods[box->mood], box->outside ? " outside" : "", x, y, width, height);
    add_text(" class=\"n\"", x + width / 2, y + LINE, box->name, out);
    for (size_t i = 0; i < CHAINSI_PICTURE_LINES && box->lines[i]; i++)
        add_text("", x + width / 2, y + (i + 2) * LINE, box->lines[i], out);
}

/* Where layers begin and end, from top to bottom. */
typedef struct bands {
    size_t *begins, *ends;
    size_t extent;
} bands;

static bands find_bands(const chainsi_picture *picture, const chainsi_layout *l,
                        chainsi_arena *arena)
{
    size_t lines = 0;
    for (size_t i = 0; i < picture->arrow_count; i++) {
        const size_t own = measure_label(picture->labels[i], arena).lines;
        lines = own > lines ? own : lines;
    }
    bands b = { chainsi_arena_array(arena, l->layer_count + 1, sizeof *b.begins),
                chainsi_arena_array(arena, l->layer_count + 1, sizeof *b.ends), MARGIN };
    for (size_t at = 0; at < l->layer_count; at++) {
        size_t most = 1;
        for (size_t i = 0; i < picture->box_count; i++)
            if (l->places[i].layer == at && chainsi_picture_count_lines(&picture->boxes[i]) > most)
                most = chainsi_picture_count_lines(&picture->boxes[i]);
        b.begins[at] = b.extent;
        b.ends[at] = b.extent + most * LINE + PAD;
        b.extent = b.ends[at] + (at + 1 < l->layer_count ? BETWEEN + lines * LABEL_LINE : 0);
    }
    b.extent += MARGIN;
    return b;
}

/* An arrow, through all of its steps. */
static void add_arrow(const chainsi_picture *picture, const chainsi_layout *l, const bands *b,
                      size_t first, chainsi_arena *arena, chainsi_buffer *out)
{
    const size_t arrow = l->steps[first].arrow;
    const chainsi_layout_step *step = &l->steps[first];
    const chainsi_layout_place *from = &l->places[step->from];
    size_t y = b->begins[from->layer] +
               chainsi_picture_count_lines(&picture->boxes[step->from]) * LINE + PAD;
    chainsi_buffer_printf(out, "<path marker-end=\"url(#head)\" d=\"M%zu %zu",
                          MARGIN + step->leaves, y);
    for (size_t i = first; i < l->step_count && l->steps[i].arrow == arrow; i++) {
        step = &l->steps[i];
        const chainsi_layout_place *to = &l->places[step->to];
        const size_t end = b->begins[to->layer], middle = (y + end) / 2;
        /* A point is left where it is entered. */
        const size_t x0 = MARGIN + (i > first ? l->steps[i - 1].enters : step->leaves);
        const size_t x1 = MARGIN + step->enters;
        chainsi_buffer_printf(out, "C%zu %zu %zu %zu %zu %zu", x0, middle, x1, middle, x1, end);
        y = end;
        if (!to->is_box) {
            y = b->ends[to->layer];
            chainsi_buffer_printf(out, "L%zu %zu", x1, y);
        }
    }
    chainsi_buffer_add_text(out, "\"/>\n");
    const char *label = picture->labels[arrow], *part;
    size_t lines = measure_label(label, arena).lines;
    const size_t below = b->begins[l->places[step->to].layer] - 16;
    for (; lines && (part = take_part(&label, arena)); lines--)
        add_text(" class=\"l\"", MARGIN + step->enters + LABEL, below - (lines - 1) * LABEL_LINE,
                 part, out);
}

void chainsi_picture_svg(const chainsi_picture *picture, chainsi_buffer *out)
{
    chainsi_arena arena = { 0 };
    chainsi_layout l;
    size_t *sizes = chainsi_arena_array(&arena, picture->box_count + 1, sizeof *sizes);
    size_t *apart = chainsi_arena_array(&arena, picture->box_count + 1, sizeof *apart);
    size_t gap = GAP;
    for (size_t i = 0; i < picture->box_count; i++) {
        size_t arrows;
        apart[i] = find_apart(picture, i, &arrows, &arena);
        sizes[i] = width_of(&picture->boxes[i]);
        if (sizes[i] < (arrows + 1) * apart[i])
            sizes[i] = arrows > 1 ? (arrows + 1) * apart[i] : sizes[i];
        gap = apart[i] > gap ? apart[i] : gap;
    }
    chainsi_layout_make(&l, &(chainsi_layout_options){ .sizes = sizes,
                                                       .box_count = picture->box_count,
                                                       .arrows = picture->arrows,
                                                       .arrow_count = picture->arrow_count,
                                                       .gap = gap,
                                                       .point_size = GAP,
                                                       .apart = apart });
    const bands b = find_bands(picture, &l, &arena);
    const char *title = picture->title ? picture->title : "chain";
    chainsi_buffer_printf(out,
                          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" height=\"%zu\" "
                          "viewBox=\"0 0 %zu %zu\" role=\"img\">\n<title>",
                          l.extent + 2 * MARGIN, b.extent, l.extent + 2 * MARGIN, b.extent);
    add_escaped(out, title);
    chainsi_buffer_add_text(out, "</title>\n");
    add_style(out);
    chainsi_buffer_add_text(out, "<rect class=\"back\" width=\"100%\" height=\"100%\"/>\n");
    for (size_t i = 0; i < l.step_count; i++)
        if (!i || l.steps[i].arrow != l.steps[i - 1].arrow)
            add_arrow(picture, &l, &b, i, &arena, out);
    for (size_t i = 0; i < picture->box_count; i++)
        add_box(&picture->boxes[i], MARGIN + l.places[i].begin, b.begins[l.places[i].layer],
                l.places[i].size, out);
    chainsi_buffer_add_text(out, "</svg>\n");
    chainsi_layout_done(&l);
    chainsi_arena_done(&arena);
}
