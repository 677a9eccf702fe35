/* GET /api/v1/live: what there is, told as it changes (live.h).
 *
 *   event: chains     as GET /api/v1/chains
 *   event: graph      as of the chain and the environment that were asked for (graph.h)
 *   event: happened   one of GET /api/v1/events, for those who may see these
 *   event: traces     {"newest": the number of the newest trace that they may see; 0: there is none}, for the same */
#include <string.h>

#include "control/fields.h"
#include "control/graph.h"
#include "control/live.h"
#include "control/route.h"
#include "control/store_history.h"
#include "schema/json.h"

enum { MOST_HAPPENED = 100 /* that are told at once; more are in the list alone */ };

static const char chains_event[] = "chains", graph_event[] = "graph", traces_event[] = "traces";

typedef struct newest_trace {
    int64_t newest;
} newest_trace;

static const chainsi_field newest_trace_fields[] = {
    CHAINSI_FIELD_INTEGER(newest_trace, newest),
};
static const chainsi_type newest_trace_type = CHAINSI_STRUCT_OF(newest_trace, newest_trace_fields);

static void encode(const chainsi_type *type, const void *value, chainsi_buffer *out)
{
    chainsi_codec_error why;
    chainsi_json_encode(type, value, out, &why);
}

static bool is_of(void *only, const chainsi_chain *chain)
{
    return !only || !strcmp(only, chain->name);
}

static void write_chains(const chainsi_routes *routes, const chainsi_topic *topic,
                         chainsi_arena *arena, chainsi_buffer *out)
{
    chainsi_api_chains list;
    chainsi_registry_describe(routes->registry, routes->base_url, is_of,
                              (void *)(uintptr_t)topic->chain, arena, &list);
    chainsi_clients_add(routes->sampler, arena, &list);
    encode(&chainsi_api_chains_type, &list, out);
}

static void write_graph(const chainsi_routes *routes, const chainsi_topic *topic,
                        chainsi_arena *arena, chainsi_buffer *out)
{
    const chainsi_chain *chain = chainsi_registry_find(
        routes->registry, (chainsi_slice){ topic->chain, strlen(topic->chain) });
    const chainsi_environment *environment =
        chain ? chainsi_chain_environment(chain, topic->environment) : NULL;
    chainsi_api_graph graph;
    if (!environment)
        return;
    chainsi_sampler_watch(routes->sampler, topic->chain);
    if (chainsi_graph_describe(environment, routes->sampler, arena, &graph))
        encode(&chainsi_api_graph_type, &graph, out);
}

/* Nobody learns from a number that there are traces of other chains. */
static void write_traces(const chainsi_routes *routes, const chainsi_topic *topic,
                         chainsi_buffer *out)
{
    chainsi_collector_collect(routes->collector);
    const chainsi_trace_kept *newest =
        chainsi_traces_newest(chainsi_collector_traces(routes->collector));
    while (newest && topic->chain && !chainsi_trace_is_of(newest, topic->chain))
        newest = newest->older;
    encode(&newest_trace_type, &(newest_trace){ newest ? newest->number : 0 }, out);
}

static void write_topic(void *user, const chainsi_topic *topic, chainsi_buffer *out)
{
    const chainsi_routes *routes = user;
    chainsi_arena arena = { 0 };
    if (topic->event == chains_event)
        write_chains(routes, topic, &arena, out);
    else if (topic->event == graph_event)
        write_graph(routes, topic, &arena, out);
    else
        write_traces(routes, topic, out);
    chainsi_arena_done(&arena);
}

static int64_t write_happened(void *user, const char *chain, int64_t after, chainsi_buffer *out)
{
    const chainsi_routes *routes = user;
    const chainsi_event_filter filter = { .chain = chain, .limit = MOST_HAPPENED };
    chainsi_arena arena = { 0 };
    chainsi_stored_events events = { 0 };
    chainsi_buffer text = { 0 };
    chainsi_database *reader = chainsi_store_reader(routes->store);
    const int64_t newest = chainsi_stored_event_newest(reader);
    if (newest > after)
        chainsi_stored_event_list(reader, &filter, &arena, &events);
    for (size_t i = events.count; i-- > 0;) {
        if (events.items[i].id <= after)
            continue;
        text.size = 0;
        encode(&chainsi_stored_event_type, &events.items[i], &text);
        chainsi_live_add_event(out, "happened", text.data, text.size);
    }
    chainsi_buffer_done(&text);
    chainsi_arena_done(&arena);
    return newest > after ? newest : after;
}

struct chainsi_live *chainsi_routes_open_live(chainsi_routes *routes, uv_loop_t *loop)
{
    return chainsi_live_new(&(chainsi_live_options){
        .loop = loop,
        .write = write_topic,
        .write_happened = write_happened,
        .user = routes,
    });
}

/* What the caller wants and may have. False: it has been answered. */
static bool read_wish(const chainsi_routes *routes, chainsi_exchange *exchange,
                      chainsi_live_wish *wish)
{
    chainsi_slice query = exchange->request.query;
    const char *chain = chainsi_query_text(query, "chain", &exchange->arena);
    const char *environment = chainsi_query_text(query, "environment", &exchange->arena);
    if (environment && !chain) {
        chainsi_exchange_fail(exchange, CHAINS_INVALID_ARGUMENT,
                              "environment goes with chain: ?chain=NAME&environment=%s",
                              environment);
        return false;
    }
    if (!chainsi_route_permits(routes, exchange, CHAINSI_SCOPE_CALL, false, chain))
        return false;
    if (chain &&
        !chainsi_registry_find(routes->registry, (chainsi_slice){ chain, strlen(chain) })) {
        chainsi_route_answer_no_chain(routes, exchange, chain);
        return false;
    }
    const chainsi_caller *caller = exchange->caller;
    const char *only = caller && caller->kind == CHAINSI_CALLER_KEY ? caller->chain : NULL;
    *wish = (chainsi_live_wish){
        .topics = { { .event = chains_event, .chain = only } },
        .topic_count = 1,
        .happened = chainsi_gate_allows(&routes->gate, exchange, CHAINSI_SCOPE_DEPLOY, false, only),
        .chain = only,
        .after = chainsi_stored_event_newest(chainsi_store_reader(routes->store)),
    };
    if (wish->happened)
        wish->topics[wish->topic_count++] = (chainsi_topic){ .event = traces_event, .chain = only };
    if (chain)
        wish->topics[wish->topic_count++] =
            (chainsi_topic){ graph_event, chain, environment ? environment : CHAINSI_PRODUCTION };
    return true;
}

void chainsi_route_live(chainsi_routes *routes, chainsi_exchange *exchange,
                        const chainsi_names *names)
{
    (void)names;
    chainsi_live_wish wish;
    if (read_wish(routes, exchange, &wish) && !chainsi_live_begin(routes->live, exchange, &wish))
        chainsi_exchange_refuse(exchange, 503, "Retry-After: 5\r\n", CHAINS_RESOURCE_EXHAUSTED,
                                "as many look as may at once: %d", CHAINSI_LIVE_VIEWERS);
}
