/* What the API says of an environment as it works now (graph.h). */
#ifndef CHAINSI_CONTROL_API_GRAPH_H
#define CHAINSI_CONTROL_API_GRAPH_H

#include "control/api.h"

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

#endif
