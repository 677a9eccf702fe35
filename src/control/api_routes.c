/* What is below /api/v1: see api.h for the list. What changes something is api_changes.c, what is said
 * api_logs.c. */
#include <string.h>

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
    chainsi_answer_value(exchange, 200, &chainsi_api_chains_type, &list);
}

static bool describe(const chainsi_routes *routes, chainsi_exchange *exchange,
                     const chainsi_environment *environment)
{
    chainsi_api_chain description;
    if (!environment || !chainsi_environment_describe(environment, routes->base_url,
                                                      &exchange->arena, &description))
        return false;
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
static void list_events(const chainsi_routes *routes, chainsi_exchange *exchange, const char *chain)
{
    chainsi_slice query = exchange->request.query;
    chainsi_database *reader = chainsi_store_reader(routes->store);
    chainsi_event_filter filter = {
        .chain = chain,
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
    size_t shown = 0;
    for (size_t i = 0; i < events.count; i++)
        if (chainsi_route_shows(routes, exchange, events.items[i].chain))
            events.items[shown++] = events.items[i];
    events.count = shown;
    chainsi_answer_value(exchange, 200, &chainsi_stored_events_type, &events);
}

/* The processes that a Chainlet has and has had, whether the present version has one of that name or not. */
static void list_replicas(const chainsi_routes *routes, chainsi_exchange *exchange,
                          const char *chain, const char *environment, const char *chainlet)
{
    chainsi_slice query = exchange->request.query;
    chainsi_database *reader = chainsi_store_reader(routes->store);
    chainsi_stored_replicas replicas;
    chains_status status =
        chainsi_stored_replica_list(reader, chain, environment, chainlet, read_before(query),
                                    read_limit(query), &exchange->arena, &replicas);
    if (status != CHAINS_OK)
        chainsi_exchange_fail(exchange, status, "%s", chainsi_database_why(reader));
    else
        chainsi_answer_value(exchange, 200, &chainsi_stored_replicas_type, &replicas);
}

/* What is asked of a Chainlet of an environment, with its name in *chainlet: "scaling", say. NULL: nothing is.
 *
 *   chains/CHAIN[/environments/ENVIRONMENT]/chainlets/NAME/WHAT */
static const char *find_of_chainlet(const char *const *segments, size_t count,
                                    const char **environment, const char **chainlet)
{
    bool named = count == 7 && !strcmp(segments[2], "environments");
    size_t at = named ? 4 : 2;
    if (count != at + 3 || strcmp(segments[at], "chainlets") != 0)
        return NULL;
    *environment = named ? segments[3] : CHAINSI_PRODUCTION;
    *chainlet = segments[at + 1];
    return segments[at + 2];
}

/* chains/CHAIN[/environments/ENVIRONMENT]/chainlets/NAME, and what is below it of the same page. */
static bool is_chainlet(const char *const *segments, size_t count, const char **environment,
                        const char **chainlet, bool *metrics)
{
    const char *what = find_of_chainlet(segments, count, environment, chainlet);
    *metrics = what && !strcmp(what, "metrics");
    if (*metrics)
        return true;
    bool named = count == 6 && !strcmp(segments[2], "environments");
    size_t at = named ? 4 : 2;
    if (count != at + 2 || strcmp(segments[at], "chainlets") != 0)
        return false;
    *environment = named ? segments[3] : CHAINSI_PRODUCTION;
    *chainlet = segments[at + 1];
    return true;
}

static bool is_replicas(const char *const *segments, size_t count)
{
    const char *environment, *chainlet;
    const char *what = find_of_chainlet(segments, count, &environment, &chainlet);
    return what && !strcmp(what, "replicas");
}

/* chains/CHAIN/environments/ENVIRONMENT/graph */
static bool is_graph(const char *const *segments, size_t count)
{
    return count == 5 && !strcmp(segments[2], "environments") && !strcmp(segments[4], "graph");
}

static void answer_graph(const chainsi_routes *routes, chainsi_exchange *exchange,
                         const chainsi_chain *chain, const char *name)
{
    const chainsi_environment *environment = chainsi_chain_environment(chain, name);
    if (environment)
        chainsi_route_graph(routes, exchange, environment);
    else
        chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND, "'%s' has no environment '%s'",
                              chain->name, name);
}

/* What GET gives below /api/v1/chains/CHAIN. */
static void get_of_chain(chainsi_routes *routes, chainsi_exchange *exchange,
                         const char *const *segments, size_t count)
{
    chainsi_slice name = { segments[1], strlen(segments[1]) };
    const chainsi_chain *chain = chainsi_registry_find(routes->registry, name);
    const char *what = count > 2 ? segments[2] : "", *environment, *chainlet;
    bool metrics;
    bool logs = !strcmp(segments[count - 1], "logs") &&
                (count == 3 || (count == 5 && !strcmp(what, "chainlets")));
    if (count == 3 && !strcmp(what, "events"))
        list_events(routes, exchange, segments[1]);
    else if (!chain)
        chainsi_route_answer_no_chain(routes, exchange, segments[1]);
    else if (is_replicas(segments, count) &&
             find_of_chainlet(segments, count, &environment, &chainlet))
        list_replicas(routes, exchange, segments[1], environment, chainlet);
    else if (logs && exchange->request.method != CHAINSI_HTTP_GET)
        chainsi_answer_other_method(exchange, "GET");
    else if (logs)
        chainsi_answer_logs(exchange, chain, count == 5 ? segments[3] : NULL);
    else if (count == 2)
        answer_chain(routes, exchange, chain, NULL);
    else if (is_chainlet(segments, count, &environment, &chainlet, &metrics))
        chainsi_route_chainlet(routes, exchange, chain, environment, chainlet, metrics);
    else if (is_graph(segments, count))
        answer_graph(routes, exchange, chain, segments[3]);
    else if (count == 3 && !strcmp(what, "versions"))
        list_versions(routes, exchange, chain);
    else if (count == 3 && !strcmp(what, "environments"))
        list_chains(routes, exchange, chain->name);
    else if (count == 4 && !strcmp(what, "environments"))
        answer_chain(routes, exchange, chain, segments[3]);
    else
        chainsi_answer_no_path(exchange);
}

static bool is_scaling(const char *const *segments, size_t count)
{
    const char *environment, *chainlet;
    const char *what = find_of_chainlet(segments, count, &environment, &chainlet);
    return what && !strcmp(what, "scaling");
}

static void route_scaling(chainsi_routes *routes, chainsi_exchange *exchange,
                          const char *const *segments, size_t count)
{
    const char *environment, *chainlet;
    find_of_chainlet(segments, count, &environment, &chainlet);
    chainsi_route_scale(routes, exchange, segments[1], environment, chainlet);
}

/* The methods that there are at a path of the API; NULL: there is nothing. */
static const char *methods_at(const char *const *segments, size_t count)
{
    const char *what = count > 2 ? segments[2] : "", *last = count ? segments[count - 1] : "";
    const char *environment, *chainlet;
    bool metrics;
    if (!count || strcmp(segments[0], "chains") != 0)
        return count == 1 && !strcmp(segments[0], "events") ? "GET, HEAD" : NULL;
    if (count == 1)
        return "GET, HEAD, POST";
    if (count == 2)
        return "GET, HEAD, DELETE";
    if (count == 3)
        return !strcmp(what, "logs") ? "GET"
               : !strcmp(what, "events") || !strcmp(what, "versions") ||
                       !strcmp(what, "environments")
                   ? "GET, HEAD"
                   : NULL;
    if (is_chainlet(segments, count, &environment, &chainlet, &metrics))
        return "GET, HEAD";
    if (count == 4)
        return !strcmp(what, "versions")       ? "DELETE"
               : !strcmp(what, "environments") ? "GET, HEAD, DELETE"
                                               : NULL;
    if (count == 5 && !strcmp(what, "chainlets") && !strcmp(last, "logs"))
        return "GET";
    if (is_scaling(segments, count))
        return "GET, HEAD, PUT, DELETE";
    if (is_replicas(segments, count))
        return "GET, HEAD";
    if (is_graph(segments, count))
        return "GET, HEAD";
    bool change = !strcmp(last, "promote") || !strcmp(last, "rollback") || !strcmp(last, "swap");
    return count == 5 && !strcmp(what, "environments") && change ? "POST" : NULL;
}

/* NULL: one that is offered nowhere. */
static const char *method_of(const chainsi_exchange *exchange)
{
    static const char *const names[] = { "GET", "HEAD", "POST", "PUT", "DELETE" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (chainsi_slice_is(exchange->request.method_name, names[i]))
            return names[i];
    return NULL;
}

/* What it takes to ask for that. */
static chainsi_scope scope_for(const chainsi_exchange *exchange, const char *const *segments,
                               size_t count)
{
    const char *last = segments[count - 1];
    switch (exchange->request.method) {
    case CHAINSI_HTTP_GET:
    case CHAINSI_HTTP_HEAD:
        return !strcmp(last, "logs") || !strcmp(last, "events") ? CHAINSI_SCOPE_DEPLOY
                                                                : CHAINSI_SCOPE_CALL;
    case CHAINSI_HTTP_POST:
    case CHAINSI_HTTP_PUT:
        return CHAINSI_SCOPE_DEPLOY;
    default:
        return CHAINSI_SCOPE_ADMIN;
    }
}

void chainsi_route_api(chainsi_routes *routes, chainsi_exchange *exchange,
                       const char *const *segments, size_t count)
{
    const char *methods = methods_at(segments, count);
    const char *method = method_of(exchange);
    bool get = chainsi_is_get(exchange);
    if (count && !strcmp(segments[0], "keys"))
        chainsi_route_keys(routes, exchange, segments + 1, count - 1);
    else if (count && !strcmp(segments[0], "secrets"))
        chainsi_route_secrets(routes, exchange, segments + 1, count - 1);
    else if (count && !strcmp(segments[0], "traces"))
        chainsi_route_traces(routes, exchange, segments + 1, count - 1);
    else if (count == 1 && !strcmp(segments[0], "live"))
        chainsi_route_live(routes, exchange);
    else if (!methods)
        chainsi_answer_no_path(exchange);
    else if (!method || !strstr(methods, method))
        chainsi_answer_other_method(exchange, methods);
    else if (!chainsi_route_permits(routes, exchange, scope_for(exchange, segments, count), !get,
                                    count > 1 ? segments[1] : NULL))
        return;
    else if (is_scaling(segments, count))
        route_scaling(routes, exchange, segments, count);
    else if (!get)
        chainsi_route_change(routes, exchange, segments, count);
    else if (!strcmp(segments[0], "events"))
        list_events(routes, exchange, NULL);
    else if (count == 1)
        list_chains(routes, exchange, NULL);
    else
        get_of_chain(routes, exchange, segments, count);
}
