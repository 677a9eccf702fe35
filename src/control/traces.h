/* Recent traces, in memory: what the processes of all chains tell of calls (runtime/span.h), gathered by
 * trace. Bounded: those that nothing was heard of for longest go first.
 *
 * Spans come in any order, and maybe some never. Knows no clock, and belongs to one thread. */
#ifndef CHAINSI_CONTROL_TRACES_H
#define CHAINSI_CONTROL_TRACES_H

#include "base/arena.h"
#include "runtime/span.h"

typedef struct chainsi_traces_limits {
    size_t traces;
    size_t spans_each; /* of one trace; more are counted */
    size_t bytes;      /* of all together, about */
} chainsi_traces_limits;

extern const chainsi_traces_limits chainsi_traces_usual;

typedef struct chainsi_traced_span {
    chainsi_span span; /* its texts follow it */
    const char *chain; /* likewise; whose process told of it */
    struct chainsi_traced_span *next;
} chainsi_traced_span;

/* A trace. Read-only for others, until the next span is added. */
typedef struct chainsi_trace_kept {
    uint64_t high, low;
    int64_t number;         /* counts: the order in which they were first heard of */
    const char *chain;      /* owned; of the first span */
    int64_t unix_offset_ns; /* to be added to its times for those since 1970 */
    chainsi_traced_span *spans, *last_span; /* owned; as they came */
    size_t span_count, dropped;
    size_t bytes;
    struct chainsi_trace_kept *next_same;        /* of one hash */
    struct chainsi_trace_kept *older, *newer;    /* by number */
    struct chainsi_trace_kept *staler, *fresher; /* by when something was last heard of them */
} chainsi_trace_kept;

typedef struct chainsi_traces chainsi_traces;

/* Never NULL. */
chainsi_traces *chainsi_traces_new(const chainsi_traces_limits *limits);
/* NULL is allowed. */
void chainsi_traces_free(chainsi_traces *traces);

/* Adds a copy of a span of that chain. unix_offset_ns: as of chainsi_trace_kept. */
void chainsi_traces_add(chainsi_traces *traces, const char *chain, const chainsi_span *span,
                        int64_t unix_offset_ns);

/* The trace of that id; NULL. */
const chainsi_trace_kept *chainsi_traces_find(const chainsi_traces *traces, uint64_t high,
                                              uint64_t low);
/* The newest trace with a span of that request id; NULL. */
const chainsi_trace_kept *chainsi_traces_find_request(const chainsi_traces *traces,
                                                      const char *request_id);
/* The newest trace; others by ->older. NULL: there is none. */
const chainsi_trace_kept *chainsi_traces_newest(const chainsi_traces *traces);
size_t chainsi_traces_count(const chainsi_traces *traces);
/* Whether there is a span of that chain in it: those of several are where a client sends the same trace to them, or
 * one calls another. */
bool chainsi_trace_is_of(const chainsi_trace_kept *trace, const char *chain);
/* What there is of that chain alone in it: itself, or a copy in arena, without those beside it. NULL: nothing. */
const chainsi_trace_kept *chainsi_trace_only(const chainsi_trace_kept *trace, const char *chain,
                                             chainsi_arena *arena);

/* ------------------------------------------------------------------------------------------------
 * as a tree */

/* A span's place: what it calls follows it at once, in the order of beginning, each with all below it. */
typedef struct chainsi_trace_row {
    const chainsi_span *span;
    int depth;      /* 0: at the top */
    bool is_orphan; /* it has a parent, which isn't there */
} chainsi_trace_row;

/* The rows of a trace, span_count of them, in memory of arena. What has no parent comes first, the front
 * door before others. Spans that are each other's parents, or say they were, are all there once. */
const chainsi_trace_row *chainsi_trace_rows(const chainsi_trace_kept *trace, chainsi_arena *arena);

#endif
