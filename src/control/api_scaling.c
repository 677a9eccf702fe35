/* What `chains scale` asks of the API. The state is changed first; what is durable holds. */
#include "control/api_scale.h"

#include <string.h>

#include "control/route.h"
#include "control/store_history.h"
#include "schema/json.h"

/* Where it is asked of. */

typedef struct place {
    chainsi_environment *environment;
    const chainsi_chainlet *chainlet; /* of the version that answers */
} place;

/* False: there is nothing, which has been answered. */
static bool find_place(const chainsi_routes *routes, chainsi_exchange *exchange, const char *chain,
                       const char *environment, const char *chainlet, place *found)
{
    chainsi_chain *owner =
        chainsi_registry_find(routes->registry, (chainsi_slice){ chain, strlen(chain) });
    if (!owner) {
        chainsi_route_answer_no_chain(routes, exchange, chain);
        return false;
    }
    found->environment = chainsi_chain_environment(owner, environment);
    if (!found->environment || !found->environment->current) {
        chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND,
                              "'%s' has no environment '%s' that answers calls", chain,
                              environment);
        return false;
    }
    found->chainlet = chainsi_deployment_find(found->environment->current, chainlet);
    if (!found->chainlet)
        chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND, "there is no Chainlet '%s' in '%s'",
                              chainlet, chain);
    return found->chainlet != NULL;
}

static void answer_scaling(chainsi_exchange *exchange, const place *at)
{
    chainsi_api_scaled scaled = {
        .scaling = chainsi_api_scaling_of(&at->chainlet->scaling),
        .override = chainsi_scales_find(&at->environment->scales, at->chainlet->service->name),
    };
    chainsi_answer_value(exchange, 200, &chainsi_api_scaled_type, &scaled);
}

/* Changing: the state first. */

/* The arguments of the change; texts are the write's. */
typedef struct change {
    const chainsi_routes *routes;
    chainsi_exchange *exchange; /* NULL: the client has left */
    chainsi_stored_scale scale;
    bool reset;
    chainsi_arena *arena;
} change;

static chains_status write_event(chainsi_database *database, const change *it)
{
    chainsi_buffer details = { 0 };
    chainsi_codec_error why;
    chains_status status = chainsi_json_encode(&chainsi_api_scale_type, &it->scale, &details, &why);
    if (status == CHAINS_OK)
        status = chainsi_stored_event_add(
            database,
            &(chainsi_stored_event){
                .kind = it->reset ? "scale_reset" : "scale_set",
                .chain = it->scale.chain,
                .chainlet = it->scale.chainlet,
                .message = chainsi_arena_printf(
                    it->arena,
                    it->reset ? "'%s' is scaled in '%s' as it was deployed again"
                              : "'%s' is scaled in '%s' by what `chains scale` said",
                    it->scale.chainlet, it->scale.environment),
                .details = it->reset ? (chains_json){ 0 }
                                     : (chains_json){ (const char *)details.data, details.size },
            });
    chainsi_buffer_done(&details);
    return status;
}

static chains_status write_change(chainsi_database *database, void *arguments)
{
    change *it = arguments;
    const chainsi_stored_scale *scale = &it->scale;
    chains_status status = it->reset
                               ? chainsi_stored_scale_reset(database, scale->chain,
                                                            scale->environment, scale->chainlet)
                               : chainsi_stored_scale_set(database, scale);
    bool changed = !it->reset || chainsi_database_changes(database);
    return status == CHAINS_OK && changed ? write_event(database, it) : status;
}

/* What is durable holds; the environment may be ending meanwhile. */
static void on_changed(chainsi_write *write, chains_status status, const char *why)
{
    const change *it = write->arguments;
    const chainsi_stored_scale *scale = &it->scale;
    chainsi_chain *chain = chainsi_registry_find(
        it->routes->registry, (chainsi_slice){ scale->chain, strlen(scale->chain) });
    chainsi_environment *environment =
        chain ? chainsi_chain_environment(chain, scale->environment) : NULL;
    if (status == CHAINS_OK && environment)
        chainsi_environment_scale(environment, scale->chainlet, it->reset ? NULL : scale);
    chainsi_exchange *exchange = it->exchange;
    if (!exchange)
        return;
    exchange->on_gone = NULL;
    place at;
    if (status != CHAINS_OK)
        chainsi_exchange_fail(exchange, status, "%s", why);
    else if (find_place(it->routes, exchange, scale->chain, scale->environment, scale->chainlet,
                        &at))
        answer_scaling(exchange, &at);
}

static void on_client_gone(chainsi_exchange *exchange)
{
    change *it = exchange->user;
    it->exchange = NULL;
}

static void begin_change(const chainsi_routes *routes, chainsi_exchange *exchange,
                         chainsi_write *write, const place *at, const char *chainlet)
{
    change *it = write->arguments;
    char set_at[CHAINSI_TIME_TEXT];
    chainsi_time_text(set_at);
    it->routes = routes;
    it->exchange = exchange;
    it->arena = &write->arena;
    it->scale.chain = chainsi_arena_strdup(it->arena, at->environment->chain->name);
    it->scale.environment = chainsi_arena_strdup(it->arena, at->environment->name);
    it->scale.chainlet = chainsi_arena_strdup(it->arena, chainlet);
    it->scale.set_at = chainsi_arena_strdup(it->arena, set_at);
    write->run = write_change;
    write->on_end = on_changed;
    exchange->user = it;
    exchange->on_gone = on_client_gone;
    chainsi_store_write(routes->store, write);
}

static void reset_scaling(const chainsi_routes *routes, chainsi_exchange *exchange, const place *at,
                          const char *chainlet)
{
    chainsi_write *write = chainsi_write_new(sizeof(change));
    ((change *)write->arguments)->reset = true;
    begin_change(routes, exchange, write, at, chainlet);
}

static void set_scaling(const chainsi_routes *routes, chainsi_exchange *exchange, const place *at,
                        const char *chainlet)
{
    char why[256];
    chainsi_write *write = chainsi_write_new(sizeof(change));
    change *it = write->arguments;
    if (chainsi_read_value(exchange, &chainsi_api_scale_type, &write->arena, &it->scale)) {
        chainsi_api_scaling result =
            chainsi_scale_apply(&it->scale, &at->chainlet->service->scaling);
        if (chainsi_api_check_scaling(&result, why, sizeof why) == CHAINS_OK) {
            begin_change(routes, exchange, write, at, chainlet);
            return;
        }
        chainsi_exchange_fail(exchange, CHAINS_INVALID_ARGUMENT, "%s", why);
    }
    chainsi_write_free(write);
}

void chainsi_route_scaling(chainsi_routes *routes, chainsi_exchange *exchange,
                           const chainsi_names *names)
{
    place at;
    if (!find_place(routes, exchange, names->chain, chainsi_environment_named(names),
                    names->chainlet, &at))
        return;
    switch (exchange->request.method) {
    case CHAINSI_HTTP_PUT:
        set_scaling(routes, exchange, &at, names->chainlet);
        return;
    case CHAINSI_HTTP_DELETE:
        reset_scaling(routes, exchange, &at, names->chainlet);
        return;
    default:
        answer_scaling(exchange, &at);
    }
}
