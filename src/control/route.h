/* Which answer belongs to a path: the front door's calls and the API. */
#ifndef CHAINSI_CONTROL_ROUTE_H
#define CHAINSI_CONTROL_ROUTE_H

#include "control/chain.h"
#include "control/collector.h"
#include "control/exchange.h"
#include "control/exporter.h"
#include "control/gate.h"
#include "control/home.h"
#include "control/metric_exporter.h"
#include "control/proxy.h"
#include "control/registry.h"
#include "control/requests.h"
#include "control/site.h"

/* What answers need. */
typedef struct chainsi_routes {
    chainsi_registry *registry;               /* not owned */
    chainsi_front *front;                     /* not owned */
    chainsi_store *store;                     /* not owned */
    chainsi_vault *vault;                     /* not owned */
    chainsi_collector *collector;             /* not owned */
    chainsi_exporter *exporter;               /* not owned; NULL: spans are not exported */
    chainsi_requests *requests;               /* owned; NULL: not begun */
    chainsi_metric_exporter *metric_exporter; /* not owned; NULL: metrics are not exported */
    chainsi_courier *courier;                 /* not owned */
    struct chainsi_sampler *sampler;          /* owned; sampler.h; NULL: the daemon ends */
    struct chainsi_live *live;                /* owned; live.h */
    const char *home;                         /* not owned */
    long keeper;                              /* process number of the daemon's keeper */
    chainsi_gate gate;                        /* who may do what */
    chainsi_site site;                        /* which hosts and origins are ours */
    char base_url[64];                        /* "http://127.0.0.1:8600" */
    char token[CHAINSI_TOKEN_SIZE + 1];
} chainsi_routes;

/* Begins to run the asynchronous requests in the state; ended ones are kept for keep_ms. When the chains are
 * there. Blocks. False with a reason. */
bool chainsi_routes_begin_requests(chainsi_routes *routes, uv_loop_t *loop, int64_t keep_ms,
                                   char *why, size_t why_size);
/* After the store has been closed. */
void chainsi_routes_end_requests(chainsi_routes *routes);

/* As of chainsi_front_options. */
size_t chainsi_route_max_body(chainsi_routes *routes, const chainsi_http_request *request);
void chainsi_route(chainsi_routes *routes, chainsi_exchange *exchange);

/* What the path of a request names; NULL: not that. In the exchange's arena. */
typedef struct chainsi_names {
    const char *chain, *environment, *version, *chainlet, *id, *name;
} chainsi_names;

/* The environment that is meant: production, where none is named. */
static inline const char *chainsi_environment_named(const chainsi_names *names)
{
    return names->environment ? names->environment : CHAINSI_PRODUCTION;
}

/* Answers a request that may be made, at once or later (on_gone); which is whose says route_table.c. */
typedef void chainsi_handler(chainsi_routes *routes, chainsi_exchange *exchange,
                             const chainsi_names *names);
/* route.c: calls, and who is there. */
chainsi_handler chainsi_route_run, chainsi_route_async, chainsi_route_describe,
    chainsi_route_health;
/* request_routes.c */
chainsi_handler chainsi_route_requests, chainsi_route_request, chainsi_route_cancel;
/* api_routes.c; chainsi_route_chains and chainsi_route_events: of one chain where one is named. */
chainsi_handler chainsi_route_chains, chainsi_route_chain, chainsi_route_versions,
    chainsi_route_events, chainsi_route_replicas, chainsi_route_logs, chainsi_route_graph;
/* api_changes.c */
chainsi_handler chainsi_route_deploy, chainsi_route_delete_chain, chainsi_route_delete_environment,
    chainsi_route_delete_version, chainsi_route_promote, chainsi_route_roll_back,
    chainsi_route_swap;
/* api_scaling.c, api_keys.c, api_secrets.c (of a PUT or DELETE chainsi_route_secret), api_traces.c,
 * api_metrics.c */
chainsi_handler chainsi_route_scaling, chainsi_route_make_key, chainsi_route_keys,
    chainsi_route_revoke_key, chainsi_route_secrets, chainsi_route_secret, chainsi_route_traces,
    chainsi_route_trace, chainsi_route_metrics;
/* api_session.c, api_document.c, api_live.c, api_chainlet.c: as it was deployed, and how it did */
chainsi_handler chainsi_route_session, chainsi_route_document, chainsi_route_live,
    chainsi_route_chainlet, chainsi_route_series;

/* Programs that take the place of those in an environment (api_swap.c). */
void chainsi_answer_swap(chainsi_routes *routes, chainsi_exchange *exchange, chainsi_chain *chain,
                         const char *environment);
/* Whom GET /api/v1/live is answered by (api_live.c). */
struct chainsi_live *chainsi_routes_open_live(chainsi_routes *routes, uv_loop_t *loop);
/* An environment as a graph (graph.h). */
void chainsi_answer_graph(const chainsi_routes *routes, chainsi_exchange *exchange,
                          const chainsi_environment *environment);
/* The logs of a chain, or of one Chainlet (api_logs.c). */
void chainsi_answer_logs(chainsi_exchange *exchange, chainsi_chain *chain, const char *chainlet);

/* A number in the query, such as tail in "tail=10&follow=1"; missing if it isn't there or no
 * number. */
size_t chainsi_query_number(chainsi_slice query, const char *name, size_t missing);

/* Reads the body, JSON, into a value in an arena. False: it has been answered. */
bool chainsi_read_value(chainsi_exchange *exchange, const chainsi_type *type, chainsi_arena *arena,
                        void *value);
/* Whether it is GET or HEAD. */
bool chainsi_is_get(const chainsi_exchange *exchange);

/* Whether the request may do that with a chain, as of chainsi_gate_permits; else it has been answered. */
bool chainsi_route_permits(const chainsi_routes *routes, chainsi_exchange *exchange,
                           chainsi_scope scope, bool guarded, const char *chain);
/* 404, with the names of those that the request may know of. */
void chainsi_route_answer_no_chain(const chainsi_routes *routes, chainsi_exchange *exchange,
                                   const char *chain);
/* Whether the request may know of the chain of that name, whether there is one or not; NULL: of what is
 * no chain's. */
bool chainsi_route_shows(const chainsi_routes *routes, const chainsi_exchange *exchange,
                         const char *chain);

/* The chain of that name; NULL: there is none, which has been answered. */
chainsi_chain *chainsi_route_find_chain(const chainsi_routes *routes, chainsi_exchange *exchange,
                                        const char *name);
/* POST .../async_run_remote of a chain that is there (request_routes.c). */
void chainsi_answer_async(chainsi_routes *routes, chainsi_exchange *exchange,
                          const chainsi_target *target);
/* A text in the query, such as b in "x=1&name=b", decoded, in arena; NULL if it isn't there or is
 * malformed. */
const char *chainsi_query_text(chainsi_slice query, const char *name, chainsi_arena *arena);

/* Answers with JSON, which is of this moment and not to be kept; copied. */
void chainsi_answer_json(chainsi_exchange *exchange, int status, const chainsi_buffer *body);
/* The same with a value. */
void chainsi_answer_value(chainsi_exchange *exchange, int status, const chainsi_type *type,
                          const void *value);
/* 404 with what paths there are. */
void chainsi_answer_no_path(chainsi_exchange *exchange);
/* 405 with the methods that there are. */
void chainsi_answer_other_method(chainsi_exchange *exchange, const char *allowed);

#endif
