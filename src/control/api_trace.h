/* What the daemon's API tells of traces, as C structs with their tables, like control/api.h.
 *
 *   GET /api/v1/traces       -> api_traces, the newest first; of a query any of
 *       chain=NAME  chainlet=NAME (one that takes part)  request_id=ID  min_ms=N (it took so long, or longer)
 *       state=ok, failed, partial, or the name of the status that it ended with
 *       limit=N (50; at most 500)  before=NUMBER (those that are older: `next` of the answer before)
 *   GET /api/v1/traces/ID    -> api_trace_tree, of the trace of that id, or the newest one of a request id
 *
 * Times in milliseconds; those within a trace count from its beginning. */
#ifndef CHAINSI_CONTROL_API_TRACE_H
#define CHAINSI_CONTROL_API_TRACE_H

#include "control/traces.h"
#include "schema/type.h"

typedef struct chainsi_api_trace {
    const char *trace_id; /* 32 hex digits */
    int64_t number;       /* counts: traces first heard of later have larger ones */
    const char *chain;
    const char *chainlet;   /* the one that was called */
    const char *request_id; /* null: none is known */
    const char *state;      /* ok, failed; partial: what began it isn't there, or not yet */
    const char *status;     /* of the call: OK, ... */
    const char *message;    /* of a failure; else null */
    const char *raised_by,
        *file;    /* the Chainlet and the file where it was raised; null: not known */
    int64_t line; /* 0: not known */
    const char *started_at;
    double duration_ms;
    chains_string_list chainlets; /* that take part, by name */
    int64_t spans;
    int64_t dropped; /* spans beyond what is kept of one trace */
} chainsi_api_trace;

typedef struct chainsi_api_trace_list {
    chainsi_api_trace *items;
    size_t count;
} chainsi_api_trace_list;

typedef struct chainsi_api_traces {
    chainsi_api_trace_list traces;
    const int64_t *next; /* for `before`; null: there are no more */
    int64_t kept;        /* traces in the store */
    int64_t lost; /* spans that were overwritten before they were read, since the daemon began */
    int64_t exported;     /* spans that were sent by OTLP, since then */
    int64_t not_exported; /* that couldn't be, and were dropped */
} chainsi_api_traces;

/* A span, in the order of a waterfall: what it calls follows it. Numbers that aren't known are null. */
typedef struct chainsi_api_span {
    const char *span_id;   /* 16 hex digits */
    const char *parent_id; /* null: none */
    bool orphan;           /* its parent isn't there */
    int32_t depth;
    const char *kind; /* front, served, made, local, attempt, hedge */
    const char *chainlet;
    const char *callee; /* of those that call; else null */
    int64_t attempt;    /* of an attempt its number; of a call how many there were; else 0 */
    const char *status;
    double start_ms, duration_ms;
    /* Served: before start_ms, in its queue (and on its way); else from start_ms on. */
    const double *queue_ms;
    const double *decode_ms, *run_ms, *encode_ms;
    const int64_t *items; /* of a stream */
    const double *first_item_ms;
    int64_t pid;
    const char *message; /* of a failure; else null */
    const char *raised_by, *file;
    int64_t line; /* 0: not known */
    /* Where the failure left its Chainlet: "FUNCTION FILE:LINE"; null: it didn't, or it isn't known. */
    const char *left_at;
} chainsi_api_span;

typedef struct chainsi_api_spans {
    chainsi_api_span *items;
    size_t count;
} chainsi_api_spans;

typedef struct chainsi_api_trace_tree {
    chainsi_api_trace trace;
    chainsi_api_spans spans;
} chainsi_api_trace_tree;

extern const chainsi_type chainsi_api_traces_type, chainsi_api_trace_tree_type;

/* Which to list. */
typedef struct chainsi_trace_filter {
    const char *chain, *chainlet, *state, *request_id; /* NULL: any */
    double min_ms;
    int64_t before; /* 0: from the newest */
    size_t limit;
    const char *only; /* what the spans of that chain alone tell; NULL: of all */
} chainsi_trace_filter;

enum { CHAINSI_TRACES_LIMIT = 50, CHAINSI_TRACES_MOST = 500 };

/* What is told lives as long as arena and, its texts, until the store changes. */
void chainsi_trace_list(const chainsi_traces *traces, const chainsi_trace_filter *filter,
                        chainsi_arena *arena, chainsi_api_traces *list);
void chainsi_trace_describe(const chainsi_trace_kept *trace, chainsi_arena *arena,
                            chainsi_api_trace_tree *tree);

#endif
