#include "cli/waterfall.h"

#include <stdio.h>
#include <string.h>

#include "base/terminal.h"

enum {
    LEAST_COLUMNS = 40,
    LEAST_BAR = 10,
    TIME_COLUMNS = 9,
    PHASES_COLUMNS = 120, /* from so many on phases are told */
    MOST_INDENT = 24,     /* deeper rows are no further to the right */
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

static void add_items(const chainsi_api_span *span, bool unicode, chainsi_buffer *label)
{
    char first[32];
    chainsi_buffer_printf(label, ", %lld item%s", (long long)*span->items,
                          *span->items == 1 ? "" : "s");
    if (!span->first_item_ms)
        return;
    chainsi_waterfall_time(first, *span->first_item_ms, unicode);
    chainsi_buffer_printf(label, ", first after %s", first);
}

/* What a row is called, behind its indent; valid until the next one is written. */
static const char *write_label(const chainsi_api_span *span, const chainsi_waterfall_style *style,
                               chainsi_buffer *label)
{
    const char *callee = span->callee ? span->callee : "?";
    const int indent = span->depth < MOST_INDENT ? span->depth : MOST_INDENT;
    const bool tries = !strcmp(span->kind, "attempt") || !strcmp(span->kind, "hedge");
    label->size = 0;
    chainsi_buffer_printf(label, "%*s%s", indent, "", span->orphan ? "? " : "");
    if (!strcmp(span->kind, "front"))
        chainsi_buffer_add_text(label, "front door");
    else if (!strcmp(span->kind, "served"))
        chainsi_buffer_add_text(label, span->chainlet);
    else if (!strcmp(span->kind, "local"))
        chainsi_buffer_printf(label, "%s (in %s's process)", callee, span->chainlet);
    else if (!strcmp(span->kind, "attempt"))
        chainsi_buffer_printf(label, "attempt %lld", (long long)span->attempt);
    else if (!strcmp(span->kind, "hedge"))
        chainsi_buffer_add_text(label, "hedge: a second attempt");
    else
        chainsi_buffer_printf(label, "%s %s", style->unicode ? "\u2192" : "->", callee);
    if (span->items && span->callee)
        add_items(span, style->unicode, label);
    else if (span->callee && span->attempt > 1 && !tries)
        chainsi_buffer_printf(label, ", %lld attempts", (long long)span->attempt);
    chainsi_buffer_add_byte(label, 0);
    return (const char *)label->data;
}

/* ------------------------------------------------------------------------------------------------
 * phases */

static const char *const phase_names[] = { "QUEUE", "DECODE", "RUN", "ENCODE" };
enum { PHASES = sizeof phase_names / sizeof *phase_names };

static void add_phase_titles(const chainsi_waterfall_style *style, chainsi_buffer *out)
{
    for (size_t i = 0; i < PHASES; i++) {
        chainsi_buffer_add_text(out, " ");
        chainsi_text_add_cell(out, phase_names[i], TIME_COLUMNS, true, style->unicode);
    }
}

static void add_phases(const chainsi_api_span *span, const chainsi_waterfall_style *style,
                       chainsi_buffer *out)
{
    const double *phases[PHASES] = { span->queue_ms, span->decode_ms, span->run_ms,
                                     span->encode_ms };
    for (size_t i = 0; i < PHASES; i++) {
        char text[32] = "";
        if (phases[i])
            chainsi_waterfall_time(text, *phases[i], style->unicode);
        chainsi_buffer_add_text(out, " ");
        chainsi_text_add_cell(out, text, TIME_COLUMNS, true, style->unicode);
    }
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

typedef enum what { NOTHING, OWN, CODES, WAITS, QUEUED } what;

/* Whether it reads the call or writes the answer there. */
static bool is_coding(const chainsi_api_span *span, const bar *b, size_t column)
{
    const double decode_ms = span->decode_ms ? *span->decode_ms : 0;
    const double encode_ms = span->encode_ms ? *span->encode_ms : 0;
    const double end_ms = span->start_ms + span->duration_ms;
    return fills(b, column, span->start_ms, span->start_ms + decode_ms) ||
           fills(b, column, end_ms - encode_ms, end_ms);
}

/* What a row does in a column for as long as its span lasts: it waits for one that it called, which is a step
 * deeper, and may be in a queue still. */
static what find_below(const chainsi_api_spans *spans, size_t row, const bar *b, size_t column)
{
    const int32_t depth = spans->items[row].depth;
    what found = is_coding(&spans->items[row], b, column) ? CODES : OWN;
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
        [NOTHING] = { " ", " " },    [OWN] = { "#", "\u2588" },    [CODES] = { ":", "\u2593" },
        [WAITS] = { "=", "\u2592" }, [QUEUED] = { ".", "\u2591" },
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

static void add_text(chainsi_buffer *out, const char *text)
{
    chainsi_text_add(out, text, strlen(text), CHAINSI_TEXT_LINE);
}

static void add_failure(const chainsi_api_spans *spans, size_t row,
                        const chainsi_waterfall_style *style, chainsi_buffer *out)
{
    const chainsi_api_span *span = &spans->items[row];
    const int indent = span->depth < MOST_INDENT ? span->depth : MOST_INDENT;
    if (span->message && span->left_at && is_told_below(spans, row)) {
        chainsi_buffer_printf(out, "%*s  at ", indent, "");
        add_text(out, span->left_at);
        chainsi_buffer_add_byte(out, '\n');
    }
    if (!span->message || is_told_below(spans, row))
        return;
    chainsi_buffer_printf(out, "%*s  %s%s: ", indent, "", style->color ? "\x1b[31m" : "",
                          span->status);
    add_text(out, span->message);
    if (span->file) {
        chainsi_buffer_add_text(out, " (");
        add_text(out, span->raised_by ? span->raised_by : "");
        chainsi_buffer_add_text(out, span->raised_by ? ", " : "");
        add_text(out, span->file);
        chainsi_buffer_printf(out, ":%lld)", (long long)span->line);
    }
    chainsi_buffer_printf(out, "%s\n", style->color ? "\x1b[0m" : "");
}

static void add_title(const chainsi_api_trace *trace, const chainsi_waterfall_style *style,
                      chainsi_buffer *out)
{
    char took[32];
    chainsi_waterfall_time(took, trace->duration_ms, style->unicode);
    add_text(out, trace->chain);
    chainsi_buffer_add_text(out, "/");
    add_text(out, trace->chainlet);
    chainsi_buffer_printf(out, "  %s  %s  %s\n", trace->status, took, trace->started_at);
    chainsi_buffer_printf(out, "trace %s", trace->trace_id);
    if (trace->request_id) {
        chainsi_buffer_add_text(out, "  request ");
        add_text(out, trace->request_id);
    }
    chainsi_buffer_add_text(out, "\n");
    if (!strcmp(trace->state, "partial"))
        chainsi_buffer_add_text(out, "what began it isn't there, or has not ended yet\n");
    if (trace->dropped)
        chainsi_buffer_printf(out, "%lld more spans were not kept\n", (long long)trace->dropped);
    chainsi_buffer_add_text(out, "\n");
}

/* What stands above the bars: what is in which column, and their beginning and end. */
static void add_axis(const chainsi_api_trace *trace, const chainsi_waterfall_style *style,
                     size_t widest, bool phases, const bar *b, chainsi_buffer *out)
{
    char took[32];
    chainsi_waterfall_time(took, trace->duration_ms, style->unicode);
    chainsi_text_add_cell(out, "", widest + 1, false, style->unicode);
    chainsi_text_add_cell(out, phases ? "TIME" : "", TIME_COLUMNS, true, style->unicode);
    if (phases)
        add_phase_titles(style, out);
    chainsi_buffer_add_text(out, "   0");
    chainsi_text_add_cell(out, took, b->columns - 1, true, style->unicode);
    chainsi_buffer_add_text(out, "\n");
}

static void add_legend(const chainsi_waterfall_style *style, chainsi_buffer *out)
{
    chainsi_buffer_printf(out, "\n%s queued  %s decodes, encodes  %s waits for calls  %s works\n",
                          style->unicode ? "\u2591" : ".", style->unicode ? "\u2593" : ":",
                          style->unicode ? "\u2592" : "=", style->unicode ? "\u2588" : "#");
}

void chainsi_waterfall_write(const chainsi_api_trace_tree *tree,
                             const chainsi_waterfall_style *style, chainsi_buffer *out)
{
    const chainsi_api_spans *spans = &tree->spans;
    const size_t columns = style->columns > LEAST_COLUMNS ? style->columns : LEAST_COLUMNS;
    const bool phases = columns >= PHASES_COLUMNS;
    const size_t fixed = TIME_COLUMNS + 4 + (phases ? PHASES * (TIME_COLUMNS + 1) : 0);
    chainsi_buffer label = { 0 };
    char took[32];
    size_t widest = 0;
    for (size_t i = 0; i < spans->count; i++) {
        const size_t own = chainsi_text_columns(write_label(&spans->items[i], style, &label));
        widest = own > widest ? own : widest;
    }
    const size_t most = columns - fixed - LEAST_BAR;
    const size_t share = phases ? columns / 3 : columns / 2;
    widest = widest < share ? widest : share;
    widest = widest < most ? widest : most;
    const bar b = {
        .total_ms = tree->trace.duration_ms > 0 ? tree->trace.duration_ms : 1e-6,
        .columns = columns - widest - fixed,
    };
    add_title(&tree->trace, style, out);
    add_axis(&tree->trace, style, widest, phases, &b, out);
    for (size_t i = 0; i < spans->count; i++) {
        const chainsi_api_span *span = &spans->items[i];
        const bool failed = strcmp(span->status, "OK") != 0;
        if (failed && style->color)
            chainsi_buffer_add_text(out, "\x1b[31m");
        chainsi_text_add_cell(out, write_label(span, style, &label), widest, false, style->unicode);
        if (failed && style->color)
            chainsi_buffer_add_text(out, "\x1b[0m");
        chainsi_waterfall_time(took, span->duration_ms, style->unicode);
        chainsi_buffer_add_text(out, " ");
        chainsi_text_add_cell(out, took, TIME_COLUMNS, true, style->unicode);
        if (phases)
            add_phases(span, style, out);
        chainsi_buffer_add_text(out, failed ? " ! " : "   ");
        add_bar(spans, i, &b, style->unicode, out);
        chainsi_buffer_add_text(out, "\n");
        add_failure(spans, i, style, out);
    }
    add_legend(style, out);
    chainsi_buffer_done(&label);
}
