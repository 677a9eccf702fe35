/* An environment as it works now, for those who look: its Chainlets as boxes, the calls between them as
 * arrows, both with what came of them in the last seconds (sampler.h).
 *
 *   GET /api/v1/chains/CHAIN/environments/ENVIRONMENT/graph   -> api_graph
 *
 * Boxes are the services of the version that answers, the Chainlets that are linked into them, and the
 * external services that they call, as far as the deployment tells of these. Calls within a process aren't
 * counted, nor are those that an external service gets from others: what isn't known is null. */
#ifndef CHAINSI_CONTROL_GRAPH_H
#define CHAINSI_CONTROL_GRAPH_H

#include "control/environment.h"
#include "control/sampler.h"

typedef struct chainsi_api_box {
    const char *name;
    bool entrypoint;
    bool external;            /* nothing of ours */
    const char *colocated_in; /* in whose process it is; NULL: it has its own */
    const char *state;        /* as of api_chainlet, of the process; "external" */
    int64_t ready, wanted;    /* of the process */
    int64_t concurrency;      /* calls that a replica runs at once; 0: not known */
    int64_t slots;            /* of those that are ready */
    int64_t in_flight, waiting;
    double cpu;
    int64_t memory;
    const char *gpu;
    const double *calls_per_s, *errors_per_s; /* NULL: nobody counts */
    const double *p50_ms, *p99_ms;            /* NULL: there were no calls, or nobody counts */
} chainsi_api_box;

typedef struct chainsi_api_boxes {
    chainsi_api_box *items;
    size_t count;
} chainsi_api_boxes;

typedef struct chainsi_api_arrow {
    const char *caller, *callee;
    const double *calls_per_s, *errors_per_s, *retries_per_s; /* NULL: nobody counts */
    const double *p50_ms, *p99_ms;
    bool colocated;
} chainsi_api_arrow;

typedef struct chainsi_api_arrows {
    chainsi_api_arrow *items;
    size_t count;
} chainsi_api_arrows;

typedef struct chainsi_api_graph {
    const char *chain, *environment;
    const char *version_id; /* NULL: none answers, and the latest is shown */
    int64_t window_s;       /* that rates are over */
    chainsi_api_clients clients;
    chainsi_api_boxes chainlets;
    chainsi_api_arrows edges;
} chainsi_api_graph;

extern const chainsi_type chainsi_api_graph_type;

/* Its memory is arena's and the environment's. False: there is nothing to show. */
bool chainsi_graph_describe(const chainsi_environment *environment, const chainsi_sampler *sampler,
                            chainsi_arena *arena, chainsi_api_graph *graph);
/* What its clients' calls came to of late; in arena. NULL: nobody counts, as the daemon ends. */
const chainsi_api_clients *chainsi_clients_describe(const chainsi_sampler *sampler,
                                                    const char *chain, const char *environment,
                                                    chainsi_arena *arena);
/* The same for each of a list. */
void chainsi_clients_add(const chainsi_sampler *sampler, chainsi_arena *arena,
                         chainsi_api_chains *list);

#endif
