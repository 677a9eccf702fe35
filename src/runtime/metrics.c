#include "runtime/metrics.h"

#include <inttypes.h>

#include "runtime/traffic.h"

/* Upper bounds in nanoseconds: a wide range, as services take microseconds or minutes. */
static const int64_t bounds[CHAINSI_METRICS_BUCKETS] = {
    10000,    50000,     100000,    500000,    1000000,    5000000,    10000000,    25000000,
    50000000, 100000000, 250000000, 500000000, 1000000000, 5000000000, 30000000000, 120000000000,
};

void chainsi_metrics_done(chainsi_metrics *metrics)
{
    chainsi_tally_done(&metrics->tally);
}

void chainsi_metrics_count(chainsi_metrics *metrics, chains_status status, int64_t run_ns)
{
    unsigned index =
        (unsigned)status < CHAINSI_METRICS_STATUSES ? (unsigned)status : CHAINS_UNKNOWN;
    chainsi_tally_add(&metrics->tally, CHAINSI_METRICS_CALLS + index, 1);
    if (run_ns < 0)
        return;
    unsigned i = 0;
    while (i < CHAINSI_METRICS_BUCKETS && run_ns > bounds[i])
        i++;
    chainsi_tally_add(&metrics->tally, CHAINSI_METRICS_RUN + i, 1);
    chainsi_tally_add(&metrics->tally, CHAINSI_METRICS_RUN_NS, (uint64_t)run_ns);
}

static void write_gauge(chainsi_buffer *out, const char *chainlet, const char *name,
                        const char *type, const char *help, uint64_t value)
{
    chainsi_buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s{chainlet=\"%s\"} %" PRIu64 "\n",
                          name, help, name, type, name, chainlet, value);
}

void chainsi_metrics_write(chainsi_metrics *metrics, const char *chainlet,
                           const chainsi_server_counters *server, bool ready, chainsi_buffer *out)
{
    uint64_t counts[CHAINSI_METRICS_COUNT];
    chainsi_tally_read_all(&metrics->tally, counts);
    chainsi_buffer_add_text(out, "# HELP chains_calls_total Calls that ended, by status.\n"
                                 "# TYPE chains_calls_total counter\n");
    for (int i = 0; i < CHAINSI_METRICS_STATUSES; i++) {
        uint64_t count = counts[CHAINSI_METRICS_CALLS + i];
        if (count || i == CHAINS_OK)
            chainsi_buffer_printf(out,
                                  "chains_calls_total{chainlet=\"%s\",status=\"%s\"} %" PRIu64 "\n",
                                  chainlet, chains_status_name((chains_status)i), count);
    }
    chainsi_buffer_add_text(out, "# HELP chains_run_seconds Time in run_remote.\n"
                                 "# TYPE chains_run_seconds histogram\n");
    uint64_t total = 0;
    for (int i = 0; i < CHAINSI_METRICS_BUCKETS; i++) {
        total += counts[CHAINSI_METRICS_RUN + i];
        chainsi_buffer_printf(out,
                              "chains_run_seconds_bucket{chainlet=\"%s\",le=\"%g\"} %" PRIu64 "\n",
                              chainlet, (double)bounds[i] / 1e9, total);
    }
    total += counts[CHAINSI_METRICS_RUN + CHAINSI_METRICS_BUCKETS];
    chainsi_buffer_printf(out,
                          "chains_run_seconds_bucket{chainlet=\"%s\",le=\"+Inf\"} %" PRIu64 "\n"
                          "chains_run_seconds_sum{chainlet=\"%s\"} %.9f\n"
                          "chains_run_seconds_count{chainlet=\"%s\"} %" PRIu64 "\n",
                          chainlet, total, chainlet, (double)counts[CHAINSI_METRICS_RUN_NS] / 1e9,
                          chainlet, total);
    chainsi_traffic traffic = chainsi_traffic_read();
    chainsi_buffer_printf(out,
                          "# HELP chains_body_bytes_total Bytes of calls and answers between "
                          "Chainlets of this machine.\n"
                          "# TYPE chains_body_bytes_total counter\n"
                          "chains_body_bytes_total{chainlet=\"%s\",way=\"socket\"} %" PRIu64 "\n"
                          "chains_body_bytes_total{chainlet=\"%s\",way=\"copied\"} %" PRIu64 "\n"
                          "chains_body_bytes_total{chainlet=\"%s\",way=\"shared\"} %" PRIu64 "\n",
                          chainlet, traffic.socket, chainlet, traffic.copied, chainlet,
                          traffic.shared);
    write_gauge(out, chainlet, "chains_in_flight", "gauge", "Calls that run now.",
                server->in_flight);
    write_gauge(out, chainlet, "chains_waiting", "gauge",
                "Whole requests that wait for a slot in this process.", server->waiting);
    write_gauge(out, chainlet, "chains_connections", "gauge", "Open connections.",
                server->connections);
    write_gauge(out, chainlet, "chains_connections_accepted_total", "counter",
                "Connections accepted.", server->accepted);
    write_gauge(out, chainlet, "chains_answers_lost_total", "counter",
                "Answers that could not be sent.", server->lost);
    write_gauge(out, chainlet, "chains_ready", "gauge", "1 once _new has returned.", ready);
}
