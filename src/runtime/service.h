/* A service: one Chainlet behind the HTTP of DESIGN's section "On the wire". */
#ifndef CHAINSI_RUNTIME_SERVICE_H
#define CHAINSI_RUNTIME_SERVICE_H

#include "rpc/server.h"
#include "runtime/graph.h"
#include "runtime/metrics.h"
#include "runtime/progress.h"
#include "runtime/span_batch.h"

typedef struct chainsi_service {
    const chainsi_node *node;
    chainsi_process process;
    chains_ctx ctx; /* of the process: the Chainlets are made with it */
    chainsi_graph *graph;
    chainsi_instance *_Atomic instance; /* NULL until _new has returned */
    int64_t new_ns;                     /* how long it took; set before instance */
    chainsi_server *_Atomic server;     /* of calls; NULL until then */
    atomic_bool draining;               /* not ready any more */
    pthread_mutex_t health;             /* of _healthy: one at a time */
    chainsi_board *board;               /* owned; NULL without one */
    struct chainsi_near_offer *near;    /* owned; NULL: it isn't offered to callers on this node */
    struct chainsi_running *running;    /* owned; where it notes what runs; NULL: nowhere */
    chainsi_metrics metrics;
    chainsi_span_teller teller; /* its ring is NULL where another process reads what is told */
    chainsi_progress progress;  /* only kept where process.progress points to it */
} chainsi_service;

/* The handlers for a chainsi_server whose user is the service: calls and probes; probes alone; what
 * follows an answer; what follows a cancellation; and the requests that take no slot. */
void chainsi_service_handle(void *service, chainsi_server_request *request,
                            chainsi_server_response *response);
void chainsi_service_handle_probe(void *service, chainsi_server_request *request,
                                  chainsi_server_response *response);
void chainsi_service_after(void *service, chainsi_server_request *request);
/* The ctx of a request whose handler runs on this thread: `after` ends it. */
void chainsi_service_use_ctx(chains_ctx *ctx);
/* Its Chainlet has batches that wait: on_read of such a service. */
void chainsi_service_note_read(void *service, int count);
void chainsi_service_wake(void *service);
bool chainsi_service_is_probe(void *service, const chainsi_http_request *request);
/* Appends the OpenAPI document of a Chainlet. */
void chainsi_service_openapi(const chainsi_interface *interface, chainsi_buffer *out);

#endif
