/* The numbers that a replica counts, and their text form (Prometheus exposition format 0.0.4). */
#ifndef CHAINSI_RUNTIME_METRICS_H
#define CHAINSI_RUNTIME_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>

#include <chains.h>

#include "base/buffer.h"
#include "rpc/server.h"

enum { CHAINSI_METRICS_STATUSES = 17, CHAINSI_METRICS_BUCKETS = 16 };

/* Counters of one replica; all zero at first. Any thread. */
typedef struct chainsi_metrics {
    atomic_uint_least64_t calls[CHAINSI_METRICS_STATUSES]; /* ended, by status */
    atomic_uint_least64_t
        buckets[CHAINSI_METRICS_BUCKETS + 1]; /* run_remote's time; the last is "longer" */
    atomic_uint_least64_t run_ns;
} chainsi_metrics;

/* Counts one call that ended; run_ns: the time in run_remote, nanoseconds; negative: it was not
 * run. */
void chainsi_metrics_count(chainsi_metrics *metrics, chains_status status, int64_t run_ns);
/* Appends all of them as text. */
void chainsi_metrics_write(chainsi_metrics *metrics, const char *chainlet,
                           const chainsi_server_counters *server, bool ready, chainsi_buffer *out);

#endif
