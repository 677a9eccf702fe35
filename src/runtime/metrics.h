/* The numbers that a replica counts, and their text form (Prometheus exposition format 0.0.4). */
#ifndef CHAINSI_RUNTIME_METRICS_H
#define CHAINSI_RUNTIME_METRICS_H

#include <stdbool.h>

#include <chains.h>

#include "base/buffer.h"
#include "base/histogram.h"
#include "rpc/server.h"

enum {
    CHAINSI_METRICS_STATUSES = 17,
    /* Decoding and encoding are timed for one call in so many, on average: reading the clock four times would cost a
     * small call more than the two themselves. */
    CHAINSI_METRICS_SAMPLE = 16,
};

/* Where the time of a call goes. */
typedef enum chainsi_phase {
    CHAINSI_PHASE_QUEUE, /* from when the caller made it until it was read; of callers on this machine */
    CHAINSI_PHASE_DECODE, /* of a sample */
    CHAINSI_PHASE_RUN,    /* in run_remote */
    CHAINSI_PHASE_ENCODE, /* of a sample */
    CHAINSI_PHASES,
} chainsi_phase;

/* Counters of one replica: calls that ended, by status, a histogram of each phase, and calls that began. Begin as
 * CHAINSI_METRICS. Any thread. */
enum {
    CHAINSI_METRICS_BEGUN = CHAINSI_METRICS_STATUSES + CHAINSI_PHASES * CHAINSI_HISTOGRAM_COUNTERS,
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

/* Counts one call that begins; how many have. */
void chainsi_metrics_begin(chainsi_metrics *metrics);
uint64_t chainsi_metrics_read_begun(const chainsi_metrics *metrics);
/* Counts one call that ended; run_ns: the time in run_remote, nanoseconds; negative: it was not
 * run. */
void chainsi_metrics_count(chainsi_metrics *metrics, chains_status status, int64_t run_ns);
/* Counts a phase of a call. */
void chainsi_metrics_time(chainsi_metrics *metrics, chainsi_phase phase, int64_t ns);
/* Whether what this thread does now is one of those that are timed. */
bool chainsi_metrics_sample(void);

/* Appends all of them as text. */
void chainsi_metrics_write(chainsi_metrics *metrics, const char *chainlet,
                           const chainsi_server_counters *server, bool ready, chainsi_buffer *out);
/* Appends the lines of one histogram, whose sums are given, without its HELP and TYPE. labels: such as
 * chainlet="x". */
void chainsi_metrics_write_histogram(const char *name, const char *labels,
                                     const uint64_t sums[CHAINSI_HISTOGRAM_COUNTERS],
                                     chainsi_buffer *out);

#endif
