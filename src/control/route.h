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

/* The requests below /api/v1, path being what follows it ("/chains/x"), decoded segments. */
void chainsi_route_api(chainsi_routes *routes, chainsi_exchange *exchange,
                       const char *const *segments, size_t count);

/* Those of them that change something (api_changes.c). segments: as above, from "chains" on. */
void chainsi_route_change(chainsi_routes *routes, chainsi_exchange *exchange,
                          const char *const *segments, size_t count);
/* Programs that take the place of those in an environment (api_swap.c). */
void chainsi_route_swap(chainsi_routes *routes, chainsi_exchange *exchange, chainsi_chain *chain,
                        const char *environment);
/* Those below /api/v1/keys, /api/v1/secrets and /api/v1/traces; as of chainsi_route_api. */
void chainsi_route_keys(chainsi_routes *routes, chainsi_exchange *exchange,
                        const char *const *segments, size_t count);
void chainsi_route_secrets(chainsi_routes *routes, chainsi_exchange *exchange,
                           const char *const *segments, size_t count);
void chainsi_route_traces(chainsi_routes *routes, chainsi_exchange *exchange,
                          const char *const *segments, size_t count);
/* GET /metrics (api_metrics.c). */
void chainsi_route_metrics(const chainsi_routes *routes, chainsi_exchange *exchange);
/* How a Chainlet of an environment is scaled (api_scale.h); whoever may not change it has been turned away. */
void chainsi_route_scale(const chainsi_routes *routes, chainsi_exchange *exchange,
                         const char *chain, const char *environment, const char *chainlet);
/* The logs of a chain, or of one Chainlet (api_logs.c). */
void chainsi_answer_logs(chainsi_exchange *exchange, const chainsi_chain *chain,
                         const char *chainlet);

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

/* POST .../async_run_remote of a chain that is there. */
void chainsi_route_async(chainsi_routes *routes, chainsi_exchange *exchange,
                         const chainsi_target *target);
/* The requests below /requests, path being what follows it, decoded segments. */
void chainsi_route_requests(chainsi_routes *routes, chainsi_exchange *exchange,
                            const char *const *segments, size_t count);
/* A text in the query, such as b in "x=1&name=b", decoded, in arena; NULL if it isn't there or is
 * malformed. */
const char *chainsi_query_text(chainsi_slice query, const char *name, chainsi_arena *arena);

/* Answers with a value in JSON. */
void chainsi_answer_value(chainsi_exchange *exchange, int status, const chainsi_type *type,
                          const void *value);
/* 404 with what paths there are. */
void chainsi_answer_no_path(chainsi_exchange *exchange);
/* 405 with the methods that there are. */
void chainsi_answer_other_method(chainsi_exchange *exchange, const char *allowed);

#endif
