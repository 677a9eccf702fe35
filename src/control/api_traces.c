/* The API's answers about traces. */
#include <ctype.h>
#include <string.h>

#include "control/api_trace.h"
#include "control/query.h"
#include "control/route.h"

enum { MOST_MS = 1000 * 1000 * 1000 };

/* NULL: it isn't asked for. */
static const char *find_text(chainsi_slice query, const char *name, chainsi_arena *arena)
{
    const char *text = chainsi_query_text(query, name, arena);
    return text && *text ? text : NULL;
}

static bool read_filter(chainsi_exchange *exchange, chainsi_trace_filter *filter)
{
    const chainsi_slice query = exchange->request.query;
    chainsi_arena *arena = &exchange->arena;
    double limit = CHAINSI_TRACES_LIMIT, before = 0;
    *filter = (chainsi_trace_filter){
        .chain = find_text(query, "chain", arena),
        .chainlet = find_text(query, "chainlet", arena),
        .state = find_text(query, "state", arena),
        .request_id = find_text(query, "request_id", arena),
    };
    const char *wrong =
        !chainsi_query_double(query, "min_ms", MOST_MS, &filter->min_ms)                  ? "min_ms"
        : !chainsi_query_double(query, "before", 1e15, &before)                           ? "before"
        : !chainsi_query_double(query, "limit", CHAINSI_TRACES_MOST, &limit) || limit < 1 ? "limit"
                                                                                          : NULL;
    if (wrong)
        chainsi_exchange_fail(exchange, CHAINS_INVALID_ARGUMENT,
                              "%s is no number that is possible there (limit: 1 to %d)", wrong,
                              CHAINSI_TRACES_MOST);
    filter->before = (int64_t)before;
    filter->limit = (size_t)limit;
    return !wrong;
}

/* The only chain that whoever asks may learn of; NULL: all. */
static const char *only_chain(const chainsi_exchange *exchange)
{
    const chainsi_caller *caller = exchange->caller;
    return caller->kind == CHAINSI_CALLER_KEY ? caller->chain : NULL;
}

void chainsi_route_traces(chainsi_routes *routes, chainsi_exchange *exchange,
                          const chainsi_names *names)
{
    (void)names;
    chainsi_trace_filter filter;
    chainsi_api_traces list;
    if (!read_filter(exchange, &filter))
        return;
    chainsi_collector_collect(routes->collector);
    filter.only = only_chain(exchange);
    chainsi_trace_list(chainsi_collector_traces(routes->collector), &filter, &exchange->arena,
                       &list);
    if (!filter.only) {
        list.lost = (int64_t)chainsi_collector_lost(routes->collector);
        list.exported = (int64_t)chainsi_exporter_sent(routes->exporter);
        list.not_exported = (int64_t)chainsi_exporter_dropped(routes->exporter);
    }
    chainsi_answer_value(exchange, 200, &chainsi_api_traces_type, &list);
}

/* 32 hex digits, which may be a request id as well: those that are made are. */
static const chainsi_trace_kept *find_by_id(const chainsi_traces *traces, const char *id)
{
    uint64_t halves[2] = { 0 };
    size_t digits = 0;
    for (; digits < 32 && isxdigit((unsigned char)id[digits]); digits++) {
        const char c = (char)(id[digits] | 0x20);
        halves[digits / 16] =
            halves[digits / 16] << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return digits == 32 && !id[32] ? chainsi_traces_find(traces, halves[0], halves[1]) : NULL;
}

/* What is of `only` in the newest that has such a request there; another chain's may have the same id. */
static const chainsi_trace_kept *find_by_request(const chainsi_traces *traces, const char *id,
                                                 const char *only, chainsi_arena *arena)
{
    if (!only)
        return chainsi_traces_find_request(traces, id);
    for (const chainsi_trace_kept *whole = chainsi_traces_newest(traces); whole;
         whole = whole->older)
        for (const chainsi_traced_span *kept = whole->spans; kept; kept = kept->next)
            if (!strcmp(kept->span.request_id, id) && !strcmp(kept->chain, only))
                return chainsi_trace_only(whole, only, arena);
    return NULL;
}

void chainsi_route_trace(chainsi_routes *routes, chainsi_exchange *exchange,
                         const chainsi_names *names)
{
    const char *id = names->id;
    chainsi_collector_collect(routes->collector);
    const chainsi_traces *traces = chainsi_collector_traces(routes->collector);
    const char *only = only_chain(exchange);
    const chainsi_trace_kept *trace = find_by_id(traces, id);
    if (trace && only)
        trace = chainsi_trace_only(trace, only, &exchange->arena);
    if (!trace)
        trace = find_by_request(traces, id, only, &exchange->arena);
    if (!trace) {
        chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND,
                              "no trace of '%s' is kept: only recent ones are, and of many calls a "
                              "second not all are recorded",
                              id);
        return;
    }
    chainsi_api_trace_tree tree;
    chainsi_trace_describe(trace, &exchange->arena, &tree);
    chainsi_answer_value(exchange, 200, &chainsi_api_trace_tree_type, &tree);
}
