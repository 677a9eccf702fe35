/* What is counted of a Chainlet's calls to one of its dependencies: an edge of the service graph, as its
 * caller sees it. Calls within a process are not counted.
 *
 * All edges of a process are listed, for /metrics. Counting is for any thread. */
#ifndef CHAINSI_RUNTIME_EDGE_H
#define CHAINSI_RUNTIME_EDGE_H

#include <chains.h>

#include "base/buffer.h"
#include "base/histogram.h"

typedef struct chainsi_edge {
    chainsi_tally tally;
    const char *caller, *callee;         /* names on the wire; not owned */
    const struct chainsi_remote *remote; /* tells how many wait; NULL: they aren't told */
    struct chainsi_edge *next;           /* in the process's list */
} chainsi_edge;

/* Lists an edge, which stays where it is until _done, and remote as well; NULL is allowed. */
void chainsi_edge_init(chainsi_edge *edge, const char *caller, const char *callee,
                       const struct chainsi_remote *remote);
void chainsi_edge_done(chainsi_edge *edge);

/* When a call begins: the clock, if it is one of those that are timed; else 0. */
int64_t chainsi_edge_begin(void);
/* A call, all of its attempts, ended; began_ns as _begin gave it. */
void chainsi_edge_end(chainsi_edge *edge, chains_status status, int64_t began_ns);
/* It is tried once more. */
void chainsi_edge_retry(chainsi_edge *edge);

/* Appends all edges of the process as Prometheus text. */
void chainsi_edges_write(chainsi_buffer *out);
/* Appends "callee":N with commas between, for each dependency over TCP of this process: calls that wait here
 * for a slot or an address of it. */
void chainsi_edges_write_waits(chainsi_buffer *out);

#endif
