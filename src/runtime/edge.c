#include "runtime/edge.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "runtime/metrics.h"
#include "runtime/remote.h"

enum {
    TIMES = CHAINSI_METRICS_STATUSES, /* behind the calls by status */
    RETRIES = TIMES + CHAINSI_HISTOGRAM_COUNTERS,
    COUNTERS
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the list */
static chainsi_edge *edges;

void chainsi_edge_init(chainsi_edge *edge, const char *caller, const char *callee,
                       const chainsi_remote *remote)
{
    *edge = (chainsi_edge){
        .tally = CHAINSI_TALLY(COUNTERS), .caller = caller, .callee = callee, .remote = remote
    };
    pthread_mutex_lock(&lock);
    edge->next = edges;
    edges = edge;
    pthread_mutex_unlock(&lock);
}

void chainsi_edge_done(chainsi_edge *edge)
{
    pthread_mutex_lock(&lock);
    chainsi_edge **at = &edges;
    while (*at && *at != edge)
        at = &(*at)->next;
    if (*at)
        *at = edge->next;
    pthread_mutex_unlock(&lock);
    chainsi_tally_done(&edge->tally);
}

int64_t chainsi_edge_begin(void)
{
    return chainsi_metrics_sample() ? chainsi_now_ns() : 0;
}

void chainsi_edge_end(chainsi_edge *edge, chains_status status, int64_t began_ns)
{
    const bool known = (unsigned)status < CHAINSI_METRICS_STATUSES;
    chainsi_tally_add(&edge->tally, known ? (uint32_t)status : CHAINS_UNKNOWN, 1);
    if (began_ns)
        chainsi_histogram_add(&edge->tally, TIMES, chainsi_now_ns() - began_ns);
}

void chainsi_edge_retry(chainsi_edge *edge)
{
    chainsi_tally_add(&edge->tally, RETRIES, 1);
}

/* One family after the other, each with all edges, as the format wants it. */
void chainsi_edges_write(chainsi_buffer *out)
{
    pthread_mutex_lock(&lock);
    for (int family = 0; edges && family < 3; family++) {
        static const char *const heads[] = {
            "# HELP chains_dependency_calls_total Calls to a dependency that ended, by status.\n"
            "# TYPE chains_dependency_calls_total counter\n",
            "# HELP chains_dependency_seconds Time of such a call, of one in 16.\n"
            "# TYPE chains_dependency_seconds histogram\n",
            "# HELP chains_dependency_retries_total Attempts after the first.\n"
            "# TYPE chains_dependency_retries_total counter\n",
        };
        chainsi_buffer_add_text(out, heads[family]);
        for (const chainsi_edge *edge = edges; edge; edge = edge->next) {
            uint64_t sums[COUNTERS];
            char labels[512];
            chainsi_tally_read_all(&edge->tally, sums);
            snprintf(labels, sizeof labels, "chainlet=\"%s\",callee=\"%s\"", edge->caller,
                     edge->callee);
            if (family == 1)
                chainsi_metrics_write_histogram("chains_dependency_seconds", labels, sums + TIMES,
                                                out);
            else if (family == 2)
                chainsi_buffer_printf(out, "chains_dependency_retries_total{%s} %" PRIu64 "\n",
                                      labels, sums[RETRIES]);
            for (int i = 0; family == 0 && i < CHAINSI_METRICS_STATUSES; i++)
                if (sums[i] || i == CHAINS_OK)
                    chainsi_buffer_printf(
                        out, "chains_dependency_calls_total{%s,status=\"%s\"} %" PRIu64 "\n",
                        labels, chains_status_name((chains_status)i), sums[i]);
        }
    }
    pthread_mutex_unlock(&lock);
}

/* How many wait for the callee of an edge, with those of other callers in this process; -1: another edge
 * before it has told. Locked. */
static int count_waits(const chainsi_edge *edge)
{
    for (const chainsi_edge *before = edges; before != edge; before = before->next)
        if (before->remote && !strcmp(before->callee, edge->callee))
            return -1;
    int waits = 0;
    for (const chainsi_edge *at = edge; at; at = at->next)
        if (at->remote && !strcmp(at->callee, edge->callee))
            waits += chainsi_remote_waiting(at->remote);
    return waits;
}

void chainsi_edges_write_waits(chainsi_buffer *out)
{
    bool first = true;
    pthread_mutex_lock(&lock);
    for (const chainsi_edge *edge = edges; edge; edge = edge->next) {
        const int waits = edge->remote ? count_waits(edge) : -1;
        if (waits < 0)
            continue;
        chainsi_buffer_printf(out, "%s\"%s\":%d", first ? "" : ",", edge->callee, waits);
        first = false;
    }
    pthread_mutex_unlock(&lock);
}
