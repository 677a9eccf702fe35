/* The store: a hash of traces by id, in two lists: by number, for looking, and by when something was last
 * heard of them, for letting go. */
#include "control/traces.h"

#include <stdlib.h>
#include <string.h>

#include "control/handle.h"

enum { BUCKETS = 4096 };

const chainsi_traces_limits chainsi_traces_usual = {
    .traces = 10000,
    .spans_each = 2000,
    .bytes = 32 * 1024 * 1024,
};

struct chainsi_traces {
    chainsi_traces_limits limits;
    chainsi_trace_kept *buckets[BUCKETS]; /* owned */
    chainsi_trace_kept *newest, *stalest, *freshest;
    size_t count, bytes;
    int64_t last_number;
};

chainsi_traces *chainsi_traces_new(const chainsi_traces_limits *limits)
{
    chainsi_traces *traces = chainsi_make(sizeof *traces);
    traces->limits = *limits;
    return traces;
}

static chainsi_trace_kept **bucket_of(chainsi_traces *traces, uint64_t low)
{
    return &traces->buckets[(low ^ low >> 32) % BUCKETS];
}

/* Takes it out of the list of those that go first. */
static void leave_order(chainsi_traces *traces, chainsi_trace_kept *trace)
{
    if (trace->staler)
        trace->staler->fresher = trace->fresher;
    else
        traces->stalest = trace->fresher;
    if (trace->fresher)
        trace->fresher->staler = trace->staler;
    else
        traces->freshest = trace->staler;
}

static void make_freshest(chainsi_traces *traces, chainsi_trace_kept *trace)
{
    trace->fresher = NULL;
    trace->staler = traces->freshest;
    if (traces->freshest)
        traces->freshest->fresher = trace;
    else
        traces->stalest = trace;
    traces->freshest = trace;
}

static void remove_trace(chainsi_traces *traces, chainsi_trace_kept *trace)
{
    chainsi_trace_kept **at = bucket_of(traces, trace->low);
    while (*at != trace)
        at = &(*at)->next_same;
    *at = trace->next_same;
    leave_order(traces, trace);
    if (trace->newer)
        trace->newer->older = trace->older;
    else
        traces->newest = trace->older;
    if (trace->older)
        trace->older->newer = trace->newer;
    traces->count--;
    traces->bytes -= trace->bytes;
    for (chainsi_traced_span *span = trace->spans, *next; span; span = next) {
        next = span->next;
        free(span);
    }
    free((char *)trace->chain);
    free(trace);
}

void chainsi_traces_free(chainsi_traces *traces)
{
    if (!traces)
        return;
    while (traces->newest)
        remove_trace(traces, traces->newest);
    free(traces);
}

static void charge(chainsi_traces *traces, chainsi_trace_kept *trace, size_t bytes)
{
    trace->bytes += bytes;
    traces->bytes += bytes;
}

static chainsi_trace_kept *add_trace(chainsi_traces *traces, const char *chain,
                                     const chainsi_span *span, int64_t unix_offset_ns)
{
    chainsi_trace_kept *trace = chainsi_make(sizeof *trace);
    chainsi_trace_kept **bucket = bucket_of(traces, span->trace_low);
    trace->high = span->trace_high;
    trace->low = span->trace_low;
    trace->number = ++traces->last_number;
    trace->chain = chainsi_copy_text(chain);
    trace->unix_offset_ns = unix_offset_ns;
    trace->next_same = *bucket;
    *bucket = trace;
    trace->older = traces->newest;
    if (traces->newest)
        traces->newest->newer = trace;
    traces->newest = trace;
    make_freshest(traces, trace);
    traces->count++;
    charge(traces, trace, sizeof *trace + strlen(chain) + 1);
    return trace;
}

static const char *place_text(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *placed = memcpy(*at, text, size);
    *at += size;
    return placed;
}

static void add_span(chainsi_traces *traces, chainsi_trace_kept *trace, const char *chain,
                     const chainsi_span *span)
{
    const char *left_at = span->left_at ? span->left_at : "";
    const size_t texts = strlen(span->chainlet) + strlen(span->callee) + strlen(span->request_id) +
                         strlen(span->raised_by) + strlen(span->file) + strlen(span->message) +
                         strlen(chain) + strlen(left_at) + 8;
    chainsi_traced_span *kept = chainsi_make(sizeof *kept + texts);
    char *at = (char *)(kept + 1);
    kept->span = *span;
    kept->span.chainlet = place_text(&at, span->chainlet);
    kept->span.callee = place_text(&at, span->callee);
    kept->span.request_id = place_text(&at, span->request_id);
    kept->span.raised_by = place_text(&at, span->raised_by);
    kept->span.file = place_text(&at, span->file);
    kept->span.message = place_text(&at, span->message);
    kept->span.left_at = place_text(&at, left_at);
    kept->chain = place_text(&at, chain);
    if (trace->last_span)
        trace->last_span->next = kept;
    else
        trace->spans = kept;
    trace->last_span = kept;
    trace->span_count++;
    charge(traces, trace, sizeof *kept + texts);
}

void chainsi_traces_add(chainsi_traces *traces, const char *chain, const chainsi_span *span,
                        int64_t unix_offset_ns)
{
    chainsi_trace_kept *trace =
        (chainsi_trace_kept *)chainsi_traces_find(traces, span->trace_high, span->trace_low);
    if (!trace) {
        trace = add_trace(traces, chain, span, unix_offset_ns);
    } else if (trace != traces->freshest) {
        leave_order(traces, trace);
        make_freshest(traces, trace);
    }
    if (trace->span_count < traces->limits.spans_each)
        add_span(traces, trace, chain, span);
    else
        trace->dropped++;
    while (traces->stalest != trace &&
           (traces->count > traces->limits.traces || traces->bytes > traces->limits.bytes))
        remove_trace(traces, traces->stalest);
}

const chainsi_trace_kept *chainsi_traces_find(const chainsi_traces *traces, uint64_t high,
                                              uint64_t low)
{
    const chainsi_trace_kept *trace = *bucket_of((chainsi_traces *)traces, low);
    while (trace && (trace->low != low || trace->high != high))
        trace = trace->next_same;
    return trace;
}

static size_t count_of(const chainsi_trace_kept *trace, const char *chain)
{
    size_t count = 0;
    for (const chainsi_traced_span *kept = trace->spans; kept; kept = kept->next)
        count += !strcmp(kept->chain, chain);
    return count;
}

bool chainsi_trace_is_of(const chainsi_trace_kept *trace, const char *chain)
{
    return count_of(trace, chain) > 0;
}

const chainsi_trace_kept *chainsi_trace_only(const chainsi_trace_kept *trace, const char *chain,
                                             chainsi_arena *arena)
{
    const size_t count = count_of(trace, chain);
    if (!count || count == trace->span_count)
        return count ? trace : NULL;
    chainsi_trace_kept *made = chainsi_arena_alloc(arena, sizeof *made);
    *made = (chainsi_trace_kept){
        .high = trace->high,
        .low = trace->low,
        .number = trace->number,
        .chain = chain,
        .unix_offset_ns = trace->unix_offset_ns,
    };
    for (const chainsi_traced_span *kept = trace->spans; kept; kept = kept->next) {
        if (strcmp(kept->chain, chain) != 0)
            continue;
        chainsi_traced_span *copy = chainsi_arena_alloc(arena, sizeof *copy);
        *copy = (chainsi_traced_span){ .span = kept->span, .chain = kept->chain };
        if (made->last_span)
            made->last_span->next = copy;
        else
            made->spans = copy;
        made->last_span = copy;
        made->span_count++;
    }
    return made;
}

const chainsi_trace_kept *chainsi_traces_find_request(const chainsi_traces *traces,
                                                      const char *request_id)
{
    for (const chainsi_trace_kept *trace = traces->newest; trace; trace = trace->older)
        for (const chainsi_traced_span *kept = trace->spans; kept; kept = kept->next)
            if (!strcmp(kept->span.request_id, request_id))
                return trace;
    return NULL;
}

const chainsi_trace_kept *chainsi_traces_newest(const chainsi_traces *traces)
{
    return traces->newest;
}

size_t chainsi_traces_count(const chainsi_traces *traces)
{
    return traces->count;
}
