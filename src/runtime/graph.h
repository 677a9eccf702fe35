/* The Chainlets of one process, made from the nodes of its program: dependencies first, each node
 * once. */
#ifndef CHAINSI_RUNTIME_GRAPH_H
#define CHAINSI_RUNTIME_GRAPH_H

#include "runtime/callee.h"

typedef struct chainsi_graph chainsi_graph;

/* An empty graph whose Chainlets are made with ctx, which must outlive it. */
chainsi_graph *chainsi_graph_new(chains_ctx *ctx);
/* Makes the instance of node and all that it needs here; NULL with the failure recorded on the
 * graph's ctx. Blocks as long as _new of the Chainlets. */
chainsi_instance *chainsi_graph_make(chainsi_graph *graph, const chainsi_node *node);
/* Frees the instances, callers before callees. NULL is ignored. */
void chainsi_graph_free(chainsi_graph *graph);

/* The callee of a dependency that is elsewhere, with its memory from ctx; end it with
 * chainsi_callee_done. NULL with the failure recorded on ctx when its address isn't known. */
chainsi_callee *chainsi_graph_remote(chains_ctx *ctx, const chainsi_binding *binding);

#endif
