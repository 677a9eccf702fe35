#include "control/api_trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/fields.h"
#include "control/time_text.h"

static const chainsi_type strings_type = CHAINSI_LIST_OF(chains_string_list, &chainsi_type_string);
static const chainsi_type number_type = CHAINSI_POINTER_TO(&chainsi_type_double);
static const chainsi_type integer_type = CHAINSI_POINTER_TO(&chainsi_type_int64);

static const chainsi_field trace_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_api_trace, trace_id),
    CHAINSI_FIELD_INTEGER(chainsi_api_trace, number),
    CHAINSI_FIELD_TEXT(chainsi_api_trace, chain),
    CHAINSI_FIELD_TEXT(chainsi_api_trace, chainlet),
    CHAINSI_FIELD_NULLABLE(chainsi_api_trace, request_id),
    CHAINSI_FIELD_TEXT(chainsi_api_trace, state),
    CHAINSI_FIELD_TEXT(chainsi_api_trace, status),
    CHAINSI_FIELD_NULLABLE(chainsi_api_trace, message),
    CHAINSI_FIELD_NULLABLE(chainsi_api_trace, raised_by),
    CHAINSI_FIELD_NULLABLE(chainsi_api_trace, file),
    CHAINSI_FIELD_INTEGER(chainsi_api_trace, line),
    CHAINSI_FIELD_TEXT(chainsi_api_trace, started_at),
    CHAINSI_FIELD_NUMBER(chainsi_api_trace, duration_ms),
    CHAINSI_FIELD_OF(chainsi_api_trace, chainlets, &strings_type),
    CHAINSI_FIELD_INTEGER(chainsi_api_trace, spans),
    CHAINSI_FIELD_INTEGER(chainsi_api_trace, dropped),
};
static const chainsi_type trace_type =
    CHAINSI_NAMED_STRUCT_OF("Trace", chainsi_api_trace, trace_fields);
static const chainsi_type trace_list_type = CHAINSI_LIST_OF(chainsi_api_trace_list, &trace_type);

static const chainsi_field traces_fields[] = {
    CHAINSI_FIELD_OF(chainsi_api_traces, traces, &trace_list_type),
    CHAINSI_FIELD_OPTIONAL(chainsi_api_traces, next, &integer_type),
    CHAINSI_FIELD_INTEGER(chainsi_api_traces, kept),
    CHAINSI_FIELD_INTEGER(chainsi_api_traces, lost),
    CHAINSI_FIELD_INTEGER(chainsi_api_traces, exported),
    CHAINSI_FIELD_INTEGER(chainsi_api_traces, not_exported),
};
const chainsi_type chainsi_api_traces_type = CHAINSI_STRUCT_OF(chainsi_api_traces, traces_fields);

static const chainsi_field span_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_api_span, span_id),
    CHAINSI_FIELD_NULLABLE(chainsi_api_span, parent_id),
    CHAINSI_FIELD_OF(chainsi_api_span, orphan, &chainsi_type_bool),
    CHAINSI_FIELD_OF(chainsi_api_span, depth, &chainsi_type_int32),
    CHAINSI_FIELD_TEXT(chainsi_api_span, kind),
    CHAINSI_FIELD_TEXT(chainsi_api_span, chainlet),
    CHAINSI_FIELD_NULLABLE(chainsi_api_span, callee),
    CHAINSI_FIELD_INTEGER(chainsi_api_span, attempt),
    CHAINSI_FIELD_TEXT(chainsi_api_span, status),
    CHAINSI_FIELD_NUMBER(chainsi_api_span, start_ms),
    CHAINSI_FIELD_NUMBER(chainsi_api_span, duration_ms),
    CHAINSI_FIELD_OPTIONAL(chainsi_api_span, queue_ms, &number_type),
    CHAINSI_FIELD_OPTIONAL(chainsi_api_span, decode_ms, &number_type),
    CHAINSI_FIELD_OPTIONAL(chainsi_api_span, run_ms, &number_type),
    CHAINSI_FIELD_OPTIONAL(chainsi_api_span, encode_ms, &number_type),
    CHAINSI_FIELD_OPTIONAL(chainsi_api_span, items, &integer_type),
    CHAINSI_FIELD_OPTIONAL(chainsi_api_span, first_item_ms, &number_type),
    CHAINSI_FIELD_INTEGER(chainsi_api_span, pid),
    CHAINSI_FIELD_NULLABLE(chainsi_api_span, message),
    CHAINSI_FIELD_NULLABLE(chainsi_api_span, raised_by),
    CHAINSI_FIELD_NULLABLE(chainsi_api_span, file),
    CHAINSI_FIELD_INTEGER(chainsi_api_span, line),
    CHAINSI_FIELD_NULLABLE(chainsi_api_span, left_at),
};
static const chainsi_type span_type =
    CHAINSI_NAMED_STRUCT_OF("Span", chainsi_api_span, span_fields);
static const chainsi_type spans_type = CHAINSI_LIST_OF(chainsi_api_spans, &span_type);

static const chainsi_field tree_fields[] = {
    CHAINSI_FIELD_OF(chainsi_api_trace_tree, trace, &trace_type),
    CHAINSI_FIELD_OF(chainsi_api_trace_tree, spans, &spans_type),
};
const chainsi_type chainsi_api_trace_tree_type =
    CHAINSI_STRUCT_OF(chainsi_api_trace_tree, tree_fields);

/* ------------------------------------------------------------------------------------------------
 * the whole of a trace */

static double to_ms(int64_t ns)
{
    return (double)ns / (double)CHAINSI_NS_PER_MS;
}

static const char *text_or_null(const char *text)
{
    return *text ? text : NULL;
}

/* When what a span tells of began: a call that was served has waited before. */
static int64_t began_ns(const chainsi_span *span)
{
    const bool waited =
        span->kind == CHAINSI_SPAN_SERVED && span->queue_ns > 0 && span->queue_ns <= span->began_ns;
    return waited ? span->began_ns - span->queue_ns : span->began_ns;
}

/* The first and the last instant of a trace. */
static void find_times(const chainsi_trace_kept *trace, int64_t *first_ns, int64_t *last_ns)
{
    *first_ns = INT64_MAX;
    *last_ns = 0;
    for (const chainsi_traced_span *kept = trace->spans; kept; kept = kept->next) {
        int64_t began = began_ns(&kept->span);
        *first_ns = began < *first_ns ? began : *first_ns;
        *last_ns = kept->span.ended_ns > *last_ns ? kept->span.ended_ns : *last_ns;
    }
}

/* The span that stands for the trace: the front door's, else one without a parent, else what began first. */
static const chainsi_span *find_top(const chainsi_trace_kept *trace, bool *is_whole)
{
    const chainsi_span *top = NULL;
    int best = 0;
    for (const chainsi_traced_span *kept = trace->spans; kept; kept = kept->next) {
        const chainsi_span *span = &kept->span;
        const int rank = span->kind == CHAINSI_SPAN_FRONT ? 3 : !span->parent ? 2 : 1;
        if (rank < best || (rank == best && top->began_ns <= span->began_ns))
            continue;
        top = span;
        best = rank;
    }
    *is_whole = best > 1;
    return top;
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Names of those that take part, each once. */
static chains_string_list list_chainlets(const chainsi_trace_kept *trace, chainsi_arena *arena)
{
    chains_string_list list = {
        .items = chainsi_arena_array(arena, trace->span_count, sizeof *list.items),
    };
    size_t count = 0;
    for (const chainsi_traced_span *kept = trace->spans; kept; kept = kept->next)
        if (*kept->span.chainlet)
            list.items[count++] = kept->span.chainlet;
    qsort(list.items, count, sizeof *list.items, compare_texts);
    for (size_t i = 0; i < count; i++)
        if (!list.count || strcmp(list.items[list.count - 1], list.items[i]) != 0)
            list.items[list.count++] = list.items[i];
    return list;
}

static const char *find_request_id(const chainsi_trace_kept *trace)
{
    for (const chainsi_traced_span *kept = trace->spans; kept; kept = kept->next)
        if (*kept->span.request_id)
            return kept->span.request_id;
    return NULL;
}

/* The span that knows best how the call ended which `top` stands for: the front door sees only HTTP's
 * status, and what it called says the rest. */
static const chainsi_span *find_end(const chainsi_trace_kept *trace, const chainsi_span *top)
{
    if (top->status == CHAINS_OK || *top->message)
        return top;
    for (const chainsi_traced_span *kept = trace->spans; kept; kept = kept->next)
        if (kept->span.parent == top->id && kept->span.status != CHAINS_OK)
            return &kept->span;
    return top;
}

static const char *state_of(const chainsi_span *top, bool is_whole)
{
    if (top->status != CHAINS_OK)
        return "failed";
    return is_whole ? "ok" : "partial";
}

static void describe_trace(const chainsi_trace_kept *trace, const chainsi_span *top, bool is_whole,
                           int64_t first_ns, int64_t last_ns, chainsi_arena *arena,
                           chainsi_api_trace *told)
{
    char started_at[CHAINSI_TIME_TEXT];
    chainsi_time_text_of(started_at, (int64_t)(to_ms(first_ns) + to_ms(trace->unix_offset_ns)));
    const bool calls = top->kind != CHAINSI_SPAN_SERVED && *top->callee;
    const chainsi_span *end = find_end(trace, top);
    *told = (chainsi_api_trace){
        .trace_id =
            chainsi_arena_printf(arena, "%016" PRIx64 "%016" PRIx64, trace->high, trace->low),
        .number = trace->number,
        .chain = trace->chain,
        .chainlet = calls ? top->callee : top->chainlet,
        .request_id = find_request_id(trace),
        .state = state_of(top, is_whole),
        .status = chains_status_name((chains_status)end->status),
        .message = text_or_null(end->message),
        .raised_by = text_or_null(end->raised_by),
        .file = text_or_null(end->file),
        .line = end->line,
        .started_at = chainsi_arena_strdup(arena, started_at),
        .duration_ms = to_ms(last_ns - first_ns),
        .chainlets = list_chainlets(trace, arena),
        .spans = (int64_t)trace->span_count,
        .dropped = (int64_t)trace->dropped,
    };
}

/* ------------------------------------------------------------------------------------------------
 * lists */

static bool takes_part(const chainsi_trace_kept *trace, const char *chainlet)
{
    for (const chainsi_traced_span *kept = trace->spans; kept; kept = kept->next)
        if (!strcmp(kept->span.chainlet, chainlet) || !strcmp(kept->span.callee, chainlet))
            return true;
    return false;
}

static bool has_request_id(const chainsi_trace_kept *trace, const char *request_id)
{
    for (const chainsi_traced_span *kept = trace->spans; kept; kept = kept->next)
        if (!strcmp(kept->span.request_id, request_id))
            return true;
    return false;
}

/* What can be told without looking at the whole trace first, which costs more. */
static bool may_fit(const chainsi_trace_kept *trace, const chainsi_trace_filter *filter)
{
    return (!filter->before || trace->number < filter->before) &&
           (!filter->chain || !strcmp(trace->chain, filter->chain)) &&
           (!filter->chainlet || takes_part(trace, filter->chainlet)) &&
           (!filter->request_id || has_request_id(trace, filter->request_id));
}

void chainsi_trace_list(const chainsi_traces *traces, const chainsi_trace_filter *filter,
                        chainsi_arena *arena, chainsi_api_traces *list)
{
    *list = (chainsi_api_traces){ .kept = (int64_t)chainsi_traces_count(traces) };
    list->traces.items = chainsi_arena_array(arena, filter->limit, sizeof *list->traces.items);
    if (filter->only)
        list->kept = 0;
    for (const chainsi_trace_kept *whole = chainsi_traces_newest(traces); whole;
         whole = whole->older) {
        const chainsi_trace_kept *trace =
            filter->only ? chainsi_trace_only(whole, filter->only, arena) : whole;
        list->kept += filter->only && trace;
        if (!trace || list->next || !may_fit(trace, filter))
            continue;
        bool is_whole;
        int64_t first_ns, last_ns;
        const chainsi_span *top = find_top(trace, &is_whole);
        find_times(trace, &first_ns, &last_ns);
        if (to_ms(last_ns - first_ns) < filter->min_ms ||
            (filter->state && strcmp(filter->state, state_of(top, is_whole)) != 0 &&
             strcmp(filter->state,
                    chains_status_name((chains_status)find_end(trace, top)->status)) != 0))
            continue;
        if (list->traces.count == filter->limit) {
            int64_t *next = chainsi_arena_alloc(arena, sizeof *next);
            *next = list->traces.items[list->traces.count - 1].number;
            list->next = next;
            if (!filter->only)
                return;
            continue; /* to count the rest */
        }
        describe_trace(trace, top, is_whole, first_ns, last_ns, arena,
                       &list->traces.items[list->traces.count++]);
    }
}

/* ------------------------------------------------------------------------------------------------
 * one */

static const double *told_ms(int64_t ns, chainsi_arena *arena)
{
    if (ns < 0)
        return NULL;
    double *ms = chainsi_arena_alloc(arena, sizeof *ms);
    *ms = to_ms(ns);
    return ms;
}

static const char *id_text(uint64_t id, chainsi_arena *arena)
{
    return chainsi_arena_printf(arena, "%016" PRIx64, id);
}

/* How long a call waited. By HTTP only the daemon says when it was made; of one that came by the front door its own
 * span does. */
static int64_t queue_of(const chainsi_trace_row *row, const chainsi_span *front)
{
    const chainsi_span *span = row->span;
    const bool is_told = span->queue_ns >= 0 || span->kind != CHAINSI_SPAN_SERVED;
    if (is_told || !front || span->parent != front->id || span->began_ns < front->began_ns)
        return span->queue_ns;
    return span->began_ns - front->began_ns;
}

/* front: the front door's span above it; NULL. */
static void describe_span(const chainsi_trace_row *row, const chainsi_span *front, int64_t first_ns,
                          chainsi_arena *arena, chainsi_api_span *told)
{
    const chainsi_span *span = row->span;
    int64_t *items = NULL;
    if (span->streamed) {
        items = chainsi_arena_alloc(arena, sizeof *items);
        *items = span->items < INT64_MAX ? (int64_t)span->items : INT64_MAX;
    }
    *told = (chainsi_api_span){
        .span_id = id_text(span->id, arena),
        .parent_id = span->parent ? id_text(span->parent, arena) : NULL,
        .orphan = row->is_orphan,
        .depth = row->depth,
        .kind = chainsi_span_kind_name(span->kind),
        .chainlet = span->chainlet,
        .callee = text_or_null(span->callee),
        .attempt = span->attempt,
        .status = chains_status_name((chains_status)span->status),
        .start_ms = to_ms(span->began_ns - first_ns),
        .duration_ms = to_ms(span->ended_ns - span->began_ns),
        .queue_ms = told_ms(queue_of(row, front), arena),
        .decode_ms = told_ms(span->decode_ns, arena),
        .run_ms = told_ms(span->run_ns, arena),
        .encode_ms = told_ms(span->encode_ns, arena),
        .items = items,
        .first_item_ms = told_ms(span->first_item_ns, arena),
        .pid = span->process,
        .message = text_or_null(span->message),
        .raised_by = text_or_null(span->raised_by),
        .file = text_or_null(span->file),
        .line = span->line,
        .left_at = text_or_null(span->left_at),
    };
}

void chainsi_trace_describe(const chainsi_trace_kept *trace, chainsi_arena *arena,
                            chainsi_api_trace_tree *tree)
{
    bool is_whole;
    int64_t first_ns, last_ns;
    const chainsi_span *top = find_top(trace, &is_whole);
    const chainsi_trace_row *rows = chainsi_trace_rows(trace, arena);
    find_times(trace, &first_ns, &last_ns);
    describe_trace(trace, top, is_whole, first_ns, last_ns, arena, &tree->trace);
    tree->spans.count = trace->span_count;
    tree->spans.items = chainsi_arena_array(arena, trace->span_count, sizeof *tree->spans.items);
    const chainsi_span *front = NULL;
    for (size_t i = 0; i < trace->span_count; i++) {
        if (rows[i].depth == 0)
            front = rows[i].span->kind == CHAINSI_SPAN_FRONT ? rows[i].span : NULL;
        describe_span(&rows[i], front, first_ns, arena, &tree->spans.items[i]);
    }
}
