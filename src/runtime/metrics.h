/* The numbers that a replica counts, and their text form (Prometheus exposition format 0.0.4). */
#ifndef CHAINSI_RUNTIME_METRICS_H
#define CHAINSI_RUNTIME_METRICS_H

#include <stdbool.h>

#include <chains.h>

#include "base/buffer.h"
#include "base/tally.h"
#include "rpc/server.h"

enum { CHAINSI_METRICS_STATUSES = 17, CHAINSI_METRICS_BUCKETS = 16 };

/* Counters of one replica: calls that ended, by status; run_remote's time, by bucket (the last one is
 * "longer"); and its sum in nanoseconds. Begin as CHAINSI_METRICS. Any thread. */
enum {
    CHAINSI_METRICS_CALLS = 0,
    CHAINSI_METRICS_RUN = CHAINSI_METRICS_CALLS + CHAINSI_METRICS_STATUSES,
    CHAINSI_METRICS_RUN_NS = CHAINSI_METRICS_RUN + CHAINSI_METRICS_BUCKETS + 1,
    CHAINSI_METRICS_COUNT
};
typedef struct chainsi_metrics {
    chainsi_tally tally;
} chainsi_metrics;
#define CHAINSI_METRICS                                                                            \
    {                                                                                              \
        CHAINSI_TALLY(CHAINSI_METRICS_COUNT)                                                       \
    }
/* Gives their places back. */
void chainsi_metrics_done(chainsi_metrics *metrics);

/* Counts one call that ended; run_ns: the time in run_remote, nanoseconds; negative: it was not
 * run. */
void chainsi_metrics_count(chainsi_metrics *metrics, chains_status status, int64_t run_ns);
/* Appends all of them as text. */
void chainsi_metrics_write(chainsi_metrics *metrics, const char *chainlet,
                           const chainsi_server_counters *server, bool ready, chainsi_buffer *out);

#endif
