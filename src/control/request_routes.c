/* Asynchronous requests at the front door: see api_requests.h for the list. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/api_requests.h"
#include "control/chain.h"
#include "control/digest.h"
#include "control/proxy.h"
#include "control/route.h"
#include "control/webhooks.h"
#include "rpc/board.h"
#include "schema/json.h"

#define NO_TIMEOUT_MS 1e12 /* some thirty years: as good as no limit */

enum { VERSIONS_SLOTS = 16 /* calls in flight of requests that name a version, of one chain */ };
static const char VERSIONS[] = "versions"; /* no environment's name */

/* Where calls go. */

/* Slots of a Chainlet's replicas now; at least one, whose call has a first replica started. */
static size_t count_slots(const chainsi_chainlet *chainlet)
{
    uint32_t replicas = 0, slots = 0;
    chainsi_board *board = chainlet->board_fd >= 0 ? chainsi_board_open(chainlet->board_fd) : NULL;
    if (board)
        slots = chainsi_board_slots(board, &replicas);
    chainsi_board_close(board);
    return slots ? slots : 1;
}

/* The environment's, or for a call the one that is tried in it: the entrypoint's calls are shared as those of
 * the front door are. */
static chainsi_deployment *pick(chainsi_environment *environment, bool is_call,
                                chainsi_request_target *target)
{
    return is_call ? chainsi_environment_pick(environment, &target->trial, &target->is_new)
                   : environment->current;
}

/* The deployment that a request is for, with the trial that its call counts for in *target; NULL with
 * target->why: there is none any more, or with "": not yet. */
static chainsi_deployment *find_deployment(const chainsi_routes *routes, const char *chain_name,
                                           const char *environment, const char *version,
                                           bool is_call, chainsi_request_target *target)
{
    char *why = target->why;
    const size_t why_size = sizeof target->why;
    const chainsi_chain *chain =
        chainsi_registry_find(routes->registry, (chainsi_slice){ chain_name, strlen(chain_name) });
    why[0] = 0;
    if (routes->registry->stopping)
        return NULL;
    if (!chain) {
        snprintf(why, why_size, "there is no chain '%s' any more", chain_name);
        return NULL;
    }
    if (version) {
        chainsi_deployment *running = chainsi_chain_running(chain, version);
        if (!running)
            snprintf(why, why_size, "version '%s' of '%s' doesn't run", version, chain_name);
        return running;
    }
    chainsi_environment *found = chainsi_chain_environment(chain, environment);
    if (!found)
        snprintf(why, why_size, "'%s' has no environment '%s' any more", chain_name, environment);
    return found ? pick(found, is_call, target) : NULL;
}

static void find_target(void *user, const chainsi_stored_request *request, bool is_call,
                        chainsi_request_target *target)
{
    const chainsi_routes *routes = user;
    const char *chain_name = request->chain, *chainlet_name = request->chainlet;
    *target = (chainsi_request_target){ 0 };
    if (!request->version && !strcmp(request->environment, VERSIONS)) {
        target->state = CHAINSI_TARGET_READY; /* each of them has its own */
        target->slots = VERSIONS_SLOTS;
        return;
    }
    chainsi_deployment *deployment =
        find_deployment(routes, chain_name, request->environment, request->version,
                        is_call && !chainlet_name, target);
    chainsi_chainlet *chainlet =
        deployment ? chainsi_deployment_find(deployment, chainlet_name) : NULL;
    if (deployment && !chainlet)
        snprintf(target->why, sizeof target->why, "there is no Chainlet '%s' in '%s' any more",
                 chainlet_name, chain_name);
    target->state = target->why[0] ? CHAINSI_TARGET_NONE : CHAINSI_TARGET_WAIT;
    if (!chainlet || chainsi_fleet_state(chainlet->fleet) == CHAINSI_REPLICA_FAILED)
        return;
    target->state = CHAINSI_TARGET_READY;
    target->upstream = chainlet->calls;
    target->name = chainlet->service->name;
    target->slots = count_slots(chainlet);
}

static void count_call(void *user, const chainsi_stored_request *request,
                       const chainsi_request_target *target, int status, int64_t ns)
{
    const chainsi_routes *routes = user;
    const chainsi_chain *chain = chainsi_registry_find(
        routes->registry, (chainsi_slice){ request->chain, strlen(request->chain) });
    chainsi_environment *environment =
        chain ? chainsi_chain_environment(chain, request->environment) : NULL;
    if (environment)
        chainsi_environment_count(environment, target->trial, target->is_new, status, ns);
}

bool chainsi_routes_begin_requests(chainsi_routes *routes, uv_loop_t *loop, int64_t keep_ms,
                                   char *why, size_t why_size)
{
    routes->requests = chainsi_requests_new(
        &(chainsi_requests_options){
            .loop = loop,
            .store = routes->store,
            .courier = routes->courier,
            .home = routes->home,
            .policy = &chainsi_request_policy_default,
            .keep_ms = keep_ms,
            .find_target = find_target,
            .count = count_call,
            .user = routes,
        },
        why, why_size);
    return routes->requests != NULL;
}

void chainsi_routes_end_requests(chainsi_routes *routes)
{
    chainsi_requests_free(routes->requests);
    routes->requests = NULL;
}

/* What waits for the disk on behalf of a client. */

static void on_client_gone(chainsi_exchange *exchange)
{
    chainsi_requests_forget(exchange->user);
}

static void wait_for(chainsi_exchange *exchange, chainsi_request_waiter *waiter)
{
    exchange->user = waiter;
    exchange->on_gone = on_client_gone;
}

/* Accepting. */

static void on_accepted(void *user, chains_status status, const char *why, const char *id)
{
    chainsi_exchange *exchange = user;
    exchange->on_gone = NULL;
    if (status == CHAINS_RESOURCE_EXHAUSTED) {
        chainsi_exchange_refuse(exchange, 429, "Retry-After: 1\r\n", status, "%s", why);
        return;
    }
    if (status != CHAINS_OK) {
        chainsi_exchange_fail(exchange, status, "%s", why);
        return;
    }
    chainsi_api_async_accepted accepted = { .request_id = id };
    chainsi_answer_value(exchange, 202, &chainsi_api_async_accepted_type, &accepted);
}

/* Reads the body and the header X-Chains-Timeout-Ms. False: the exchange has been answered. */
static bool read_async(chainsi_exchange *exchange, chainsi_stored_request *request)
{
    chainsi_api_async asked;
    chainsi_codec_error error;
    char why[256];
    if (chainsi_json_decode(&chainsi_api_async_type, exchange->body, exchange->body_size,
                            &exchange->arena, &asked, &error) != CHAINS_OK) {
        chainsi_exchange_fail(exchange, CHAINS_INVALID_ARGUMENT, "%s%s%s", error.path,
                              error.path[0] ? ": " : "", error.message);
        return false;
    }
    if (asked.webhook && !chainsi_webhook_check_url(asked.webhook, why, sizeof why)) {
        chainsi_exchange_fail(exchange, CHAINS_INVALID_ARGUMENT, "webhook: %s", why);
        return false;
    }
    double timeout_ms = 0;
    if (!chainsi_read_timeout(exchange, &timeout_ms))
        return false;
    request->input = asked.input;
    request->webhook = asked.webhook;
    request->priority = asked.priority;
    request->max_time_in_queue_s = asked.max_time_in_queue_s;
    request->retries = asked.retries;
    request->timeout_ms = timeout_ms < NO_TIMEOUT_MS ? timeout_ms : 0;
    return true;
}

/* Whether there is something that the request can be for, now or when it has started. False: the exchange has
 * been answered. */
static bool check_target(const chainsi_routes *routes, chainsi_exchange *exchange,
                         const chainsi_target *target)
{
    chainsi_request_target found = { 0 };
    const chainsi_chain *chain = chainsi_registry_find(
        routes->registry, (chainsi_slice){ target->chain, strlen(target->chain) });
    chainsi_deployment *shown =
        find_deployment(routes, target->chain, target->environment, target->version, false, &found);
    const chainsi_environment *environment =
        !shown && target->environment ? chainsi_chain_environment(chain, target->environment)
                                      : NULL;
    if (environment) /* of one that has never run, the first version says which Chainlets there are */
        shown = environment->candidate ? environment->candidate : environment->failed;
    if (!shown)
        chainsi_exchange_fail(exchange,
                              target->version ? CHAINS_FAILED_PRECONDITION : CHAINS_NOT_FOUND, "%s",
                              found.why[0] ? found.why : "there is no such environment");
    else if (!chainsi_deployment_find(shown, target->chainlet))
        chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND, "there is no Chainlet '%s' in '%s'",
                              target->chainlet, target->chain);
    else
        return true;
    return false;
}

/* Notes what the client calls its request, and a digest of what it is: one that is sent again, because no answer came,
 * is the same one. */
static void note_given_id(chainsi_exchange *exchange, chainsi_stored_request *request)
{
    char body[CHAINSI_DIGEST_TEXT], *whole = chainsi_arena_alloc(&exchange->arena, sizeof body);
    if (!exchange->has_given_id)
        return;
    chainsi_digest_text(exchange->body, exchange->body_size, body);
    /* No name has a slash in it. */
    const char *all =
        chainsi_arena_printf(&exchange->arena, "%s/%s/%s/%.17g/%s", request->environment,
                             request->version ? request->version : "",
                             request->chainlet ? request->chainlet : "", request->timeout_ms, body);
    chainsi_digest_text(all, strlen(all), whole);
    request->given_id = exchange->request_id;
    request->given_digest = whole;
}

void chainsi_answer_async(chainsi_routes *routes, chainsi_exchange *exchange,
                          const chainsi_target *target)
{
    chainsi_stored_request request = {
        .chain = target->chain,
        .environment = target->environment ? target->environment : VERSIONS,
        .version = target->version,
        .chainlet = target->chainlet,
        .key = exchange->caller->kind == CHAINSI_CALLER_KEY ? exchange->caller->id : NULL,
    };
    if (routes->registry->stopping)
        chainsi_exchange_fail(exchange, CHAINS_UNAVAILABLE, "the daemon is stopping");
    else if (check_target(routes, exchange, target) && read_async(exchange, &request)) {
        note_given_id(exchange, &request);
        wait_for(exchange, chainsi_requests_add(routes->requests, &request, on_accepted, exchange));
    }
}

/* Looking. */

/* Reads the one that is asked for, if the client may know of its chain. False: the exchange has been
 * answered. */
static bool find_request(chainsi_routes *routes, chainsi_exchange *exchange, const char *id,
                         chainsi_stored_request *row)
{
    chainsi_database *reader = chainsi_store_reader(routes->store);
    chains_status status = chainsi_stored_request_find(reader, id, &exchange->arena, row);
    const char *chain = status == CHAINS_OK ? row->chain : NULL;
    if (!chainsi_route_permits(routes, exchange, CHAINSI_SCOPE_CALL, false, chain))
        return false;
    if (status != CHAINS_OK)
        chainsi_exchange_fail(exchange, status, "%s", chainsi_database_why(reader));
    return status == CHAINS_OK;
}

static void answer_request(chainsi_routes *routes, chainsi_exchange *exchange, const char *id)
{
    chainsi_stored_request row;
    chainsi_api_request request;
    if (!find_request(routes, exchange, id, &row))
        return;
    chainsi_api_request_of(&row, &request);
    chainsi_answer_value(exchange, 200, &chainsi_api_request_type, &request);
}

void chainsi_route_request(chainsi_routes *routes, chainsi_exchange *exchange,
                           const chainsi_names *names)
{
    answer_request(routes, exchange, names->id);
}

typedef struct canceller {
    chainsi_routes *routes;
    chainsi_exchange *exchange;
} canceller;

static void on_cancelled(void *user, chains_status status, const char *why, const char *id)
{
    canceller *it = user;
    it->exchange->on_gone = NULL;
    if (status == CHAINS_OK)
        answer_request(it->routes, it->exchange, id);
    else
        chainsi_exchange_fail(it->exchange, status, "%s", why);
}

void chainsi_route_cancel(chainsi_routes *routes, chainsi_exchange *exchange,
                          const chainsi_names *names)
{
    chainsi_stored_request row;
    if (!find_request(routes, exchange, names->id, &row))
        return;
    canceller *it = chainsi_arena_alloc(&exchange->arena, sizeof *it);
    it->routes = routes;
    it->exchange = exchange;
    wait_for(exchange, chainsi_requests_cancel(routes->requests, row.id, on_cancelled, it));
}

/* Lists. */

/* Reads the query into the filter. False: the exchange has been answered. */
static bool read_filter(chainsi_exchange *exchange, chainsi_request_filter *filter,
                        chainsi_request_state *state)
{
    chainsi_arena *arena = &exchange->arena;
    chainsi_slice query = exchange->request.query;
    const char *text = chainsi_query_text(query, "status", arena);
    filter->chain = chainsi_query_text(query, "chain", arena);
    filter->before = chainsi_query_text(query, "before", arena);
    filter->limit = CHAINSI_REQUESTS_PAGE;
    if (text && !chainsi_request_state_from_name(text, state)) {
        chainsi_exchange_fail(exchange, CHAINS_INVALID_ARGUMENT,
                              "status: '%s' is none of QUEUED, RUNNING, SUCCEEDED, FAILED, "
                              "EXPIRED, CANCELLED",
                              text);
        return false;
    }
    filter->state = text ? state : NULL;
    const char *limit = chainsi_query_text(query, "limit", arena);
    if (!limit)
        return true;
    char *end;
    filter->limit = strtol(limit, &end, 10);
    if (!*limit || *end || filter->limit < 1 || filter->limit > CHAINSI_REQUESTS_MOST_PAGE) {
        chainsi_exchange_fail(exchange, CHAINS_INVALID_ARGUMENT,
                              "limit: it is a number from 1 to %d", CHAINSI_REQUESTS_MOST_PAGE);
        return false;
    }
    return true;
}

void chainsi_route_requests(chainsi_routes *routes, chainsi_exchange *exchange,
                            const chainsi_names *names)
{
    (void)names;
    chainsi_request_filter filter = { 0 };
    chainsi_request_state state;
    if (!read_filter(exchange, &filter, &state))
        return;
    /* A list tells ids, with which requests can be cancelled. */
    if (!chainsi_route_permits(routes, exchange,
                               filter.chain ? CHAINSI_SCOPE_CALL : CHAINSI_SCOPE_ADMIN, true,
                               filter.chain ? filter.chain : CHAINSI_EVERY_CHAIN))
        return;
    chainsi_database *reader = chainsi_store_reader(routes->store);
    chainsi_stored_requests rows = { 0 };
    chains_status status = chainsi_stored_request_list(reader, &filter, &exchange->arena, &rows);
    if (status != CHAINS_OK) {
        chainsi_exchange_fail(exchange, status, "%s", chainsi_database_why(reader));
        return;
    }
    chainsi_api_requests requests = {
        .items = chainsi_arena_array(&exchange->arena, rows.count, sizeof *requests.items),
        .count = rows.count,
    };
    for (size_t i = 0; i < rows.count; i++)
        chainsi_api_request_of(&rows.items[i], &requests.items[i]);
    chainsi_answer_value(exchange, 200, &chainsi_api_requests_type, &requests);
}
