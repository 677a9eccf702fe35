#include "cli/waterfall.h"

#include <stdio.h>
#include <string.h>

#include "schema/utf8.h"

enum {
    LEAST_COLUMNS = 40,
    LEAST_BAR = 10,
    TIME_COLUMNS = 9,
    MOST_INDENT = 24, /* deeper rows are no further to the right */
    MOST_LABEL = 200, /* bytes */
};

void chainsi_waterfall_time(char text[32], double ms, bool unicode)
{
    if (ms < 0.9995)
        snprintf(text, 32, "%.0f %s", ms * 1000, unicode ? "\u00b5s" : "us");
    else if (ms < 999.5)
        snprintf(text, 32, ms < 9.995 ? "%.2f ms" : ms < 99.95 ? "%.1f ms" : "%.0f ms", ms);
    else
        snprintf(text, 32, ms < 9995 ? "%.2f s" : ms < 99950 ? "%.1f s" : "%.0f s", ms / 1000);
}

static size_t width_of(const char *text)
{
    return chainsi_utf8_count(text, strlen(text));
}

/* Appends text in so many columns, cut where it is longer. right: blanks go before it. */
static void add_column(chainsi_buffer *out, const char *text, size_t columns, bool right)
{
    size_t width = width_of(text), size = strlen(text);
    while (width > columns) {
        do
            size--;
        while (((unsigned char)text[size] & 0xc0) == 0x80);
        width--;
    }
    if (right)
        chainsi_buffer_printf(out, "%*s", (int)(columns - width), "");
    chainsi_buffer_add(out, text, size);
    if (!right)
        chainsi_buffer_printf(out, "%*s", (int)(columns - width), "");
}

static void add_items(const chainsi_api_span *span, bool unicode, char *text, size_t size)
{
    char first[32] = "";
    if (span->first_item_ms)
        chainsi_waterfall_time(first, *span->first_item_ms, unicode);
    snprintf(text, size, ", %lld item%s%s%s", (long long)*span->items, *span->items == 1 ? "" : "s",
             *first ? ", first after " : "", first);
}

/* What a row is called, behind its indent. */
static void write_label(const chainsi_api_span *span, const chainsi_waterfall_style *style,
                        char label[MOST_LABEL])
{
    const char *callee = span->callee ? span->callee : "?";
    const int indent = span->depth < MOST_INDENT ? span->depth : MOST_INDENT;
    char what[100], more[64] = "";
    if (!strcmp(span->kind, "front"))
        snprintf(what, sizeof what, "front door");
    else if (!strcmp(span->kind, "served"))
        snprintf(what, sizeof what, "%s", span->chainlet);
    else if (!strcmp(span->kind, "local"))
        snprintf(what, sizeof what, "%s (in %s's process)", callee, span->chainlet);
    else if (!strcmp(span->kind, "attempt"))
        snprintf(what, sizeof what, "attempt %lld", (long long)span->attempt);
    else if (!strcmp(span->kind, "hedge"))
        snprintf(what, sizeof what, "hedge: a second attempt");
    else
        snprintf(what, sizeof what, "%s %s", style->unicode ? "\u2192" : "->", callee);
    if (span->items && span->callee)
        add_items(span, style->unicode, more, sizeof more);
    else if (span->callee && span->attempt > 1 && strcmp(span->kind, "attempt") != 0 &&
             strcmp(span->kind, "hedge") != 0)
        snprintf(more, sizeof more, ", %lld attempts", (long long)span->attempt);
    snprintf(label, MOST_LABEL, "%*s%s%s%s", indent, "", span->orphan ? "? " : "", what, more);
}

/* ------------------------------------------------------------------------------------------------
 * bars */

typedef struct bar {
    double total_ms;
    size_t columns;
} bar;

/* Whether the middle of a column's time is within these. */
static bool fills(const bar *b, size_t column, double begin_ms, double end_ms)
{
    const double middle = b->total_ms * ((double)column + 0.5) / (double)b->columns;
    return begin_ms <= middle && middle < end_ms;
}

/* The column where what is too short to fill one is shown; SIZE_MAX: it fills some. */
static size_t find_speck(const bar *b, double begin_ms, double end_ms)
{
    size_t last = 0;
    for (size_t column = 0; column < b->columns; column++) {
        if (fills(b, column, begin_ms, end_ms))
            return SIZE_MAX;
        if (begin_ms >= b->total_ms * (double)column / (double)b->columns)
            last = column;
    }
    return last;
}

typedef enum what { NOTHING, OWN, WAITS, QUEUED } what;

/* What a row does in a column for as long as its span lasts: it waits for one that it called, which is a step
 * deeper, and may be in a queue still. */
static what find_below(const chainsi_api_spans *spans, size_t row, const bar *b, size_t column)
{
    const int32_t depth = spans->items[row].depth;
    what found = OWN;
    for (size_t i = row + 1; i < spans->count && spans->items[i].depth > depth; i++) {
        const chainsi_api_span *below = &spans->items[i];
        if (below->depth != depth + 1)
            continue;
        if (fills(b, column, below->start_ms, below->start_ms + below->duration_ms))
            return WAITS;
        if (!strcmp(below->kind, "served") && below->queue_ms &&
            fills(b, column, below->start_ms - *below->queue_ms, below->start_ms))
            found = QUEUED;
    }
    return found;
}

static void add_bar(const chainsi_api_spans *spans, size_t row, const bar *b, bool unicode,
                    chainsi_buffer *out)
{
    static const char *const marks[][2] = {
        [NOTHING] = { " ", " " },
        [OWN] = { "#", "\u2588" },
        [WAITS] = { "=", "\u2592" },
        [QUEUED] = { ".", "\u2591" },
    };
    const chainsi_api_span *span = &spans->items[row];
    const double queue_ms = span->queue_ms && *span->queue_ms > 0 ? *span->queue_ms : 0;
    const double end_ms = span->start_ms + span->duration_ms;
    const double queued_ms =
        strcmp(span->kind, "served") ? span->start_ms : span->start_ms - queue_ms;
    const size_t speck = find_speck(b, span->start_ms, end_ms);
    size_t blanks = 0;
    for (size_t column = 0; column < b->columns; column++) {
        what does = NOTHING;
        if (column == speck || fills(b, column, span->start_ms, end_ms))
            does = find_below(spans, row, b, column);
        if (fills(b, column, queued_ms, queued_ms + queue_ms))
            does = QUEUED;
        if (does == NOTHING) {
            blanks++;
            continue;
        }
        chainsi_buffer_printf(out, "%*s%s", (int)blanks, "", marks[does][unicode]);
        blanks = 0;
    }
}

/* ------------------------------------------------------------------------------------------------
 * failures */

/* Whether a row below this one tells the same failure, and so is nearer to where it was raised. */
static bool is_told_below(const chainsi_api_spans *spans, size_t row)
{
    const chainsi_api_span *span = &spans->items[row];
    for (size_t i = row + 1; i < spans->count && spans->items[i].depth > span->depth; i++)
        if (spans->items[i].message && !strcmp(spans->items[i].message, span->message))
            return true;
    return false;
}

static void add_failure(const chainsi_api_spans *spans, size_t row,
                        const chainsi_waterfall_style *style, chainsi_buffer *out)
{
    const chainsi_api_span *span = &spans->items[row];
    if (!span->message || is_told_below(spans, row))
        return;
    const int indent = span->depth < MOST_INDENT ? span->depth : MOST_INDENT;
    chainsi_buffer_printf(out, "%*s  %s%s: %s", indent, "", style->color ? "\x1b[31m" : "",
                          span->status, span->message);
    if (span->file)
        chainsi_buffer_printf(out, " (%s%s%s:%lld)", span->raised_by ? span->raised_by : "",
                              span->raised_by ? ", " : "", span->file, (long long)span->line);
    chainsi_buffer_printf(out, "%s\n", style->color ? "\x1b[0m" : "");
}

static void add_title(const chainsi_api_trace *trace, const chainsi_waterfall_style *style,
                      chainsi_buffer *out)
{
    char took[32];
    chainsi_waterfall_time(took, trace->duration_ms, style->unicode);
    chainsi_buffer_printf(out, "%s/%s  %s  %s  %s\n", trace->chain, trace->chainlet, trace->status,
                          took, trace->started_at);
    chainsi_buffer_printf(out, "trace %s", trace->trace_id);
    if (trace->request_id)
        chainsi_buffer_printf(out, "  request %s", trace->request_id);
    chainsi_buffer_add_text(out, "\n");
    if (!strcmp(trace->state, "partial"))
        chainsi_buffer_add_text(out, "what began it isn't there, or has not ended yet\n");
    if (trace->dropped)
        chainsi_buffer_printf(out, "%lld more spans were not kept\n", (long long)trace->dropped);
    chainsi_buffer_add_text(out, "\n");
}

void chainsi_waterfall_write(const chainsi_api_trace_tree *tree,
                             const chainsi_waterfall_style *style, chainsi_buffer *out)
{
    const chainsi_api_spans *spans = &tree->spans;
    const size_t columns = style->columns > LEAST_COLUMNS ? style->columns : LEAST_COLUMNS;
    char label[MOST_LABEL], took[32];
    size_t widest = 0;
    for (size_t i = 0; i < spans->count; i++) {
        write_label(&spans->items[i], style, label);
        widest = width_of(label) > widest ? width_of(label) : widest;
    }
    const size_t most = columns - TIME_COLUMNS - LEAST_BAR - 4;
    widest = widest < columns / 2 ? widest : columns / 2;
    widest = widest < most ? widest : most;
    const bar b = {
        .total_ms = tree->trace.duration_ms > 0 ? tree->trace.duration_ms : 1e-6,
        .columns = columns - widest - TIME_COLUMNS - 4,
    };
    add_title(&tree->trace, style, out);
    for (size_t i = 0; i < spans->count; i++) {
        const chainsi_api_span *span = &spans->items[i];
        const bool failed = strcmp(span->status, "OK") != 0;
        write_label(span, style, label);
        if (failed && style->color)
            chainsi_buffer_add_text(out, "\x1b[31m");
        add_column(out, label, widest, false);
        if (failed && style->color)
            chainsi_buffer_add_text(out, "\x1b[0m");
        chainsi_waterfall_time(took, span->duration_ms, style->unicode);
        chainsi_buffer_add_text(out, " ");
        add_column(out, took, TIME_COLUMNS, true);
        chainsi_buffer_add_text(out, failed ? " ! " : "   ");
        add_bar(spans, i, &b, style->unicode, out);
        chainsi_buffer_add_text(out, "\n");
        add_failure(spans, i, style, out);
    }
}
