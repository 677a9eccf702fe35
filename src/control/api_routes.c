/* What is told of chains, versions, events and replicas below /api/v1. What changes something is api_changes.c,
 * what is said api_logs.c; which path is whose is route_table.c. */
#include <string.h>

#include "control/graph.h"
#include "control/route.h"
#include "control/store_history.h"
#include "schema/json.h"

enum { DEFAULT_PAGE = 100, MAX_PAGE = 1000 };

size_t chainsi_query_number(chainsi_slice query, const char *name, size_t missing)
{
    size_t name_size = strlen(name);
    const char *at = query.data, *end = query.data + query.size;
    while (at < end) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        if (!stop)
            stop = end;
        if ((size_t)(stop - at) > name_size + 1 && !memcmp(at, name, name_size) &&
            at[name_size] == '=') {
            size_t number = 0;
            const char *digit = at + name_size + 1;
            while (digit < stop && *digit >= '0' && *digit <= '9' && number < 100000000)
                number = number * 10 + (size_t)(*digit++ - '0');
            return digit == stop ? number : missing;
        }
        at = stop + 1;
    }
    return missing;
}

/* Who asks for a list, and of which chain; NULL: of all. */
typedef struct asker {
    const chainsi_routes *routes;
    const chainsi_exchange *exchange;
    const char *name;
} asker;

static bool is_shown(void *user, const chainsi_chain *chain)
{
    const asker *who = user;
    return (!who->name || !strcmp(chain->name, who->name)) &&
           chainsi_route_shows(who->routes, who->exchange, chain->name);
}

/* Of all chains, or of one. */
static void list_chains(const chainsi_routes *routes, chainsi_exchange *exchange, const char *name)
{
    chainsi_api_chains list;
    chainsi_registry_describe(routes->registry, routes->base_url, is_shown,
                              &(asker){ routes, exchange, name }, &exchange->arena, &list);
    chainsi_clients_add(routes->sampler, &exchange->arena, &list);
    chainsi_answer_value(exchange, 200, &chainsi_api_chains_type, &list);
}

static bool describe(const chainsi_routes *routes, chainsi_exchange *exchange,
                     const chainsi_environment *environment)
{
    chainsi_api_chain description;
    if (!environment || !chainsi_environment_describe(environment, routes->base_url,
                                                      &exchange->arena, &description))
        return false;
    description.clients = chainsi_clients_describe(routes->sampler, description.name,
                                                   description.environment, &exchange->arena);
    chainsi_answer_value(exchange, 200, &chainsi_api_chain_type, &description);
    return true;
}

/* One environment; name NULL: production, else the first that there is something to say of. */
static void answer_chain(const chainsi_routes *routes, chainsi_exchange *exchange,
                         const chainsi_chain *chain, const char *name)
{
    bool done = describe(routes, exchange,
                         chainsi_chain_environment(chain, name ? name : CHAINSI_PRODUCTION));
    for (const chainsi_environment *each = chain->environments; !name && !done && each;
         each = each->next)
        done = describe(routes, exchange, each);
    if (done)
        return;
    if (name)
        chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND, "'%s' has no environment '%s'",
                              chain->name, name);
    else
        chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND,
                              "nothing of the chain '%s' is deployed; see `chains versions %s`",
                              chain->name, chain->name);
}

/* The names of the environments that the version answers calls of. */
static void list_environments(const chainsi_stored_environments *environments, const char *id,
                              chainsi_arena *arena, chains_string_list *names)
{
    names->items = chainsi_arena_array(arena, environments->count, sizeof *names->items);
    for (size_t i = 0; i < environments->count; i++)
        if (!strcmp(environments->items[i].version, id))
            names->items[names->count++] = environments->items[i].name;
}

static void list_versions(const chainsi_routes *routes, chainsi_exchange *exchange,
                          const chainsi_chain *chain)
{
    static const char *const states[] = {
        [CHAINSI_VERSION_STARTING] = "starting",
        [CHAINSI_VERSION_READY] = "ready",
        [CHAINSI_VERSION_FAILED] = "failed",
    };
    chainsi_database *reader = chainsi_store_reader(routes->store);
    chainsi_arena *arena = &exchange->arena;
    chainsi_stored_versions stored;
    chainsi_stored_environments environments;
    chains_status status =
        chainsi_stored_version_list(reader, chain->name, 0, CHAINSI_VERSIONS_KEPT, arena, &stored);
    if (status == CHAINS_OK)
        status = chainsi_stored_environment_list(reader, chain->name, arena, &environments);
    if (status != CHAINS_OK) {
        chainsi_exchange_fail(exchange, status, "%s", chainsi_database_why(reader));
        return;
    }
    chainsi_api_versions list = {
        .items = chainsi_arena_array(arena, stored.count, sizeof *list.items),
        .count = stored.count,
    };
    for (size_t i = 0; i < stored.count; i++) {
        const chainsi_stored_version *version = &stored.items[i];
        list.items[i] = (chainsi_api_version){
            .id = version->id,
            .number = version->number,
            .state = states[version->state],
            .message = version->message,
            .kept = version->artefacts && version->state == CHAINSI_VERSION_READY,
            .source_digest = version->source_digest,
            .interface = version->interface,
            .created_by = version->created_by,
            .created_at = version->created_at,
            .ready_at = version->ready_at,
        };
        list_environments(&environments, version->id, arena, &list.items[i].environments);
    }
    chainsi_answer_value(exchange, 200, &chainsi_api_versions_type, &list);
}

/* A page of a list that goes on below ?before=. */
static int64_t read_limit(chainsi_slice query)
{
    size_t limit = chainsi_query_number(query, "limit", DEFAULT_PAGE);
    return (int64_t)(limit > MAX_PAGE ? MAX_PAGE : limit);
}

static int64_t read_before(chainsi_slice query)
{
    return (int64_t)chainsi_query_number(query, "before", 0);
}

/* What happened to a chain, also to one that is gone, or to all (NULL). */
void chainsi_route_events(chainsi_routes *routes, chainsi_exchange *exchange,
                          const chainsi_names *names)
{
    chainsi_slice query = exchange->request.query;
    chainsi_database *reader = chainsi_store_reader(routes->store);
    const chainsi_caller *caller = exchange->caller;
    /* Of a key for one chain that one's, or pages would have holes where others' were. */
    const char *only = caller->kind == CHAINSI_CALLER_KEY ? caller->chain : NULL;
    chainsi_event_filter filter = {
        .chain = names->chain ? names->chain : only,
        .chainlet = chainsi_query_text(query, "chainlet", &exchange->arena),
        .kind = chainsi_query_text(query, "kind", &exchange->arena),
        .before = read_before(query),
        .limit = read_limit(query),
    };
    chainsi_stored_events events;
    chains_status status = chainsi_stored_event_list(reader, &filter, &exchange->arena, &events);
    if (status != CHAINS_OK) {
        chainsi_exchange_fail(exchange, status, "%s", chainsi_database_why(reader));
        return;
    }
    chainsi_answer_value(exchange, 200, &chainsi_stored_events_type, &events);
}

/* The chain of that name; NULL: there is none, which has been answered. */
chainsi_chain *chainsi_route_find_chain(const chainsi_routes *routes, chainsi_exchange *exchange,
                                        const char *name)
{
    chainsi_chain *chain =
        chainsi_registry_find(routes->registry, (chainsi_slice){ name, strlen(name) });
    if (!chain)
        chainsi_route_answer_no_chain(routes, exchange, name);
    return chain;
}

/* The processes that a Chainlet has and has had, whether the present version has one of that name or not. */
void chainsi_route_replicas(chainsi_routes *routes, chainsi_exchange *exchange,
                            const chainsi_names *names)
{
    if (!chainsi_route_find_chain(routes, exchange, names->chain))
        return;
    chainsi_slice query = exchange->request.query;
    chainsi_database *reader = chainsi_store_reader(routes->store);
    chainsi_stored_replicas replicas;
    chains_status status = chainsi_stored_replica_list(
        reader, names->chain, chainsi_environment_named(names), names->chainlet, read_before(query),
        read_limit(query), &exchange->arena, &replicas);
    if (status != CHAINS_OK)
        chainsi_exchange_fail(exchange, status, "%s", chainsi_database_why(reader));
    else
        chainsi_answer_value(exchange, 200, &chainsi_stored_replicas_type, &replicas);
}

void chainsi_route_logs(chainsi_routes *routes, chainsi_exchange *exchange,
                        const chainsi_names *names)
{
    chainsi_chain *chain = chainsi_route_find_chain(routes, exchange, names->chain);
    if (chain)
        chainsi_answer_logs(exchange, chain, names->chainlet);
}

void chainsi_route_chains(chainsi_routes *routes, chainsi_exchange *exchange,
                          const chainsi_names *names)
{
    if (!names->chain || chainsi_route_find_chain(routes, exchange, names->chain))
        list_chains(routes, exchange, names->chain);
}

void chainsi_route_graph(chainsi_routes *routes, chainsi_exchange *exchange,
                         const chainsi_names *names)
{
    const chainsi_chain *chain = chainsi_route_find_chain(routes, exchange, names->chain);
    const chainsi_environment *environment =
        chain ? chainsi_chain_environment(chain, names->environment) : NULL;
    if (environment)
        chainsi_answer_graph(routes, exchange, environment);
    else if (chain)
        chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND, "'%s' has no environment '%s'",
                              chain->name, names->environment);
}

void chainsi_route_chain(chainsi_routes *routes, chainsi_exchange *exchange,
                         const chainsi_names *names)
{
    const chainsi_chain *chain = chainsi_route_find_chain(routes, exchange, names->chain);
    if (chain)
        answer_chain(routes, exchange, chain, names->environment);
}

void chainsi_route_versions(chainsi_routes *routes, chainsi_exchange *exchange,
                            const chainsi_names *names)
{
    const chainsi_chain *chain = chainsi_route_find_chain(routes, exchange, names->chain);
    if (chain)
        list_versions(routes, exchange, chain);
}
