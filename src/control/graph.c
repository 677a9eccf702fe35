#include "control/graph.h"

#include <math.h>
#include <string.h>

#include "control/chain.h"
#include "control/route.h"

/* What is being described. */
typedef struct drawing {
    const chainsi_environment *environment;
    const chainsi_deployment *deployment;
    const chainsi_sampler *sampler;
    chainsi_arena *arena;
    chainsi_api_graph *graph;
} drawing;

/* NULL for NAN. */
static const double *maybe(const drawing *d, double number)
{
    if (isnan(number))
        return NULL;
    double *kept = chainsi_arena_alloc(d->arena, sizeof *kept);
    *kept = number;
    return kept;
}

static chainsi_rates rates_of(const drawing *d, const char *chainlet, const char *callee)
{
    return chainsi_sampler_rates(d->sampler, &(chainsi_subject){
                                                 .chain = d->environment->chain->name,
                                                 .environment = d->environment->name,
                                                 .chainlet = chainlet,
                                                 .callee = callee,
                                             });
}

/* Boxes. */

static chainsi_api_box *find_box(const drawing *d, const char *name)
{
    for (size_t i = 0; i < d->graph->chainlets.count; i++)
        if (!strcmp(d->graph->chainlets.items[i].name, name))
            return &d->graph->chainlets.items[i];
    return NULL;
}

static void draw_service(const drawing *d, const chainsi_chainlet *chainlet)
{
    const chainsi_api_service *service = chainlet->service;
    const chainsi_rates rates = rates_of(d, service->name, "");
    chainsi_api_box *box = &d->graph->chainlets.items[d->graph->chainlets.count++];
    chainsi_demand demand = { 0 };
    if (chainlet->scaler)
        demand = chainsi_scaler_measure(chainlet->scaler);
    *box = (chainsi_api_box){
        .name = service->name,
        .entrypoint = chainlet == &d->deployment->chainlets[d->deployment->entrypoint],
        .state = chainsi_chainlet_is_at_zero(chainlet)
                     ? "at_zero"
                     : chainsi_replica_state_name(chainsi_fleet_state(chainlet->fleet)),
        .ready = chainsi_fleet_count(chainlet->fleet).ready,
        .wanted = chainlet->fleet ? chainlet->fleet->wanted : 0,
        .concurrency = service->concurrency,
        .in_flight = demand.running,
        .waiting = demand.waiting,
        .cpu = service->cpu,
        .memory = service->memory,
        .gpu = service->gpu,
        .calls_per_s = maybe(d, rates.calls_per_s),
        .errors_per_s = maybe(d, rates.errors_per_s),
        .p50_ms = maybe(d, rates.p50_ms),
        .p99_ms = maybe(d, rates.p99_ms),
    };
    box->slots = box->ready * box->concurrency;
}

/* Those that are linked into its process and have none of their own. */
static void draw_inside(const drawing *d, const chainsi_chainlet *chainlet)
{
    const chains_string_list *inside = &chainlet->service->inside;
    for (size_t i = 0; i < inside->count; i++) {
        if (find_box(d, inside->items[i]))
            continue;
        const chainsi_api_box *host = find_box(d, chainlet->service->name);
        d->graph->chainlets.items[d->graph->chainlets.count++] = (chainsi_api_box){
            .name = inside->items[i],
            .colocated_in = host->name,
            .state = host->state,
            .ready = host->ready,
            .wanted = host->wanted,
        };
    }
}

/* What is called and has no box yet isn't of this chain. */
static void draw_external(const drawing *d)
{
    const chainsi_api_links *links = &d->deployment->options.deploy->links;
    for (size_t i = 0; i < links->count; i++)
        if (!find_box(d, links->items[i].callee))
            d->graph->chainlets.items[d->graph->chainlets.count++] = (chainsi_api_box){
                .name = links->items[i].callee,
                .external = true,
                .state = "external",
            };
}

static void draw_boxes(const drawing *d)
{
    const chainsi_api_deploy *deploy = d->deployment->options.deploy;
    size_t most = deploy->services.count + deploy->links.count;
    for (size_t i = 0; i < deploy->services.count; i++)
        most += deploy->services.items[i].inside.count;
    d->graph->chainlets.items =
        chainsi_arena_array(d->arena, most, sizeof *d->graph->chainlets.items);
    for (size_t i = 0; i < deploy->services.count; i++)
        draw_service(d, &d->deployment->chainlets[i]);
    for (size_t i = 0; i < deploy->services.count; i++)
        draw_inside(d, &d->deployment->chainlets[i]);
    draw_external(d);
}

/* Arrows. */

static bool has_arrow(const drawing *d, const char *caller, const char *callee)
{
    for (size_t i = 0; i < d->graph->edges.count; i++)
        if (!strcmp(d->graph->edges.items[i].caller, caller) &&
            !strcmp(d->graph->edges.items[i].callee, callee))
            return true;
    return false;
}

static void draw_arrow(const drawing *d, const char *caller, const char *callee, bool colocated)
{
    chainsi_api_arrow *arrow = &d->graph->edges.items[d->graph->edges.count++];
    *arrow = (chainsi_api_arrow){ .caller = caller, .callee = callee, .colocated = colocated };
    if (colocated)
        return;
    const chainsi_rates rates = rates_of(d, caller, callee);
    arrow->calls_per_s = maybe(d, rates.calls_per_s);
    arrow->errors_per_s = maybe(d, rates.errors_per_s);
    arrow->retries_per_s = maybe(d, rates.retries_per_s);
    arrow->p50_ms = maybe(d, rates.p50_ms);
    arrow->p99_ms = maybe(d, rates.p99_ms);
}

/* A deployment that doesn't tell of its links says which services call which. */
static void draw_arrows(const drawing *d)
{
    const chainsi_api_deploy *deploy = d->deployment->options.deploy;
    const chainsi_api_links *links = &deploy->links;
    size_t most = links->count;
    for (size_t i = 0; i < deploy->services.count; i++)
        most += deploy->services.items[i].dependencies.count;
    d->graph->edges.items = chainsi_arena_array(d->arena, most, sizeof *d->graph->edges.items);
    for (size_t i = 0; i < links->count; i++)
        if (!has_arrow(d, links->items[i].caller, links->items[i].callee))
            draw_arrow(d, links->items[i].caller, links->items[i].callee,
                       links->items[i].colocated);
    for (size_t i = 0; !links->count && i < deploy->services.count; i++) {
        const chainsi_api_service *service = &deploy->services.items[i];
        for (size_t k = 0; k < service->dependencies.count; k++)
            draw_arrow(d, service->name, service->dependencies.items[k], false);
    }
}

const chainsi_api_clients *chainsi_clients_describe(const chainsi_sampler *sampler,
                                                    const char *chain, const char *environment,
                                                    chainsi_arena *arena)
{
    if (!sampler)
        return NULL;
    const drawing d = { .sampler = sampler, .arena = arena };
    const chainsi_rates rates = chainsi_sampler_rates(
        sampler, &(chainsi_subject){ chain, environment, .chainlet = "", .callee = "" });
    chainsi_api_clients *clients = chainsi_arena_alloc(arena, sizeof *clients);
    *clients = (chainsi_api_clients){
        .calls_per_s = rates.calls_per_s,
        .errors_per_s = rates.errors_per_s,
        .p50_ms = maybe(&d, rates.p50_ms),
        .p99_ms = maybe(&d, rates.p99_ms),
    };
    return clients;
}

void chainsi_clients_add(const chainsi_sampler *sampler, chainsi_arena *arena,
                         chainsi_api_chains *list)
{
    for (size_t i = 0; i < list->count; i++)
        list->items[i].clients = chainsi_clients_describe(sampler, list->items[i].name,
                                                          list->items[i].environment, arena);
}

bool chainsi_graph_describe(const chainsi_environment *environment, const chainsi_sampler *sampler,
                            chainsi_arena *arena, chainsi_api_graph *graph)
{
    const drawing d = {
        .environment = environment,
        .deployment = environment->current     ? environment->current
                      : environment->candidate ? environment->candidate
                                               : environment->failed,
        .sampler = sampler,
        .arena = arena,
        .graph = graph,
    };
    if (!d.deployment)
        return false;
    *graph = (chainsi_api_graph){
        .chain = environment->chain->name,
        .environment = environment->name,
        .version_id = environment->current ? environment->current->options.id : NULL,
        .window_s = CHAINSI_LEDGER_WINDOW_S,
        .clients =
            *chainsi_clients_describe(sampler, environment->chain->name, environment->name, arena),
    };
    draw_boxes(&d);
    draw_arrows(&d);
    return true;
}

void chainsi_answer_graph(const chainsi_routes *routes, chainsi_exchange *exchange,
                          const chainsi_environment *environment)
{
    chainsi_api_graph graph;
    if (routes->sampler)
        chainsi_sampler_watch(routes->sampler, environment->chain->name);
    if (routes->sampler &&
        chainsi_graph_describe(environment, routes->sampler, &exchange->arena, &graph))
        chainsi_answer_value(exchange, 200, &chainsi_api_graph_type, &graph);
    else
        chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND, "nothing of '%s' is deployed in '%s'",
                              environment->chain->name, environment->name);
}
