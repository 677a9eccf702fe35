#include "runtime/metrics.h"

#include <inttypes.h>
#include <stdio.h>

#include "runtime/traffic.h"

void chainsi_metrics_done(chainsi_metrics *metrics)
{
    chainsi_tally_done(&metrics->tally);
}

void chainsi_metrics_time(chainsi_metrics *metrics, chainsi_phase phase, int64_t ns)
{
    const uint32_t first = CHAINSI_METRICS_STATUSES + (uint32_t)phase * CHAINSI_HISTOGRAM_COUNTERS;
    chainsi_histogram_add(&metrics->tally, first, ns);
}

void chainsi_metrics_begin(chainsi_metrics *metrics)
{
    chainsi_tally_add(&metrics->tally, CHAINSI_METRICS_BEGUN, 1);
}

uint64_t chainsi_metrics_read_begun(const chainsi_metrics *metrics)
{
    return chainsi_tally_read(&metrics->tally, CHAINSI_METRICS_BEGUN);
}

void chainsi_metrics_count(chainsi_metrics *metrics, chains_status status, int64_t run_ns)
{
    unsigned index =
        (unsigned)status < CHAINSI_METRICS_STATUSES ? (unsigned)status : CHAINS_UNKNOWN;
    chainsi_tally_add(&metrics->tally, index, 1);
    if (run_ns >= 0)
        chainsi_metrics_time(metrics, CHAINSI_PHASE_RUN, run_ns);
}

/* Not every sixteenth: what a thread does comes round in turns, and of turns that divide sixteen the same
 * step would be met each time, and the others never. */
bool chainsi_metrics_sample(void)
{
    static _Thread_local uint32_t left, state = 1;
    if (left) {
        left--;
        return false;
    }
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    left = state % (2 * CHAINSI_METRICS_SAMPLE - 1);
    return true;
}

void chainsi_metrics_write_histogram(const char *name, const char *labels,
                                     const uint64_t sums[CHAINSI_HISTOGRAM_COUNTERS],
                                     chainsi_buffer *out)
{
    uint64_t total = 0;
    for (int i = 0; i < CHAINSI_HISTOGRAM_BOUNDS; i++) {
        total += sums[i];
        chainsi_buffer_printf(out, "%s_bucket{%s,le=\"%g\"} %" PRIu64 "\n", name, labels,
                              (double)chainsi_histogram_bounds[i] / 1e9, total);
    }
    total += sums[CHAINSI_HISTOGRAM_BOUNDS];
    chainsi_buffer_printf(out,
                          "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n"
                          "%s_sum{%s} %.9f\n"
                          "%s_count{%s} %" PRIu64 "\n",
                          name, labels, total, name, labels,
                          (double)sums[CHAINSI_HISTOGRAM_BOUNDS + 1] / 1e9, name, labels, total);
}

/* One histogram of each phase. */
static void write_phases(const char *chainlet, const uint64_t *sums, chainsi_buffer *out)
{
    static const struct {
        const char *name, *help;
    } phases[CHAINSI_PHASES] = {
        [CHAINSI_PHASE_QUEUE] = { "chains_queue_seconds",
                                  "Time from the caller's call until it was read, of callers on "
                                  "this machine." },
        [CHAINSI_PHASE_DECODE] = { "chains_decode_seconds",
                                   "Time of decoding arguments, of one call in 16." },
        [CHAINSI_PHASE_RUN] = { "chains_run_seconds", "Time in run_remote." },
        [CHAINSI_PHASE_ENCODE] = { "chains_encode_seconds",
                                   "Time of encoding outputs, of one call in 16." },
    };
    char labels[256];
    snprintf(labels, sizeof labels, "chainlet=\"%s\"", chainlet);
    for (int i = 0; i < CHAINSI_PHASES; i++) {
        chainsi_buffer_printf(out, "# HELP %s %s\n# TYPE %s histogram\n", phases[i].name,
                              phases[i].help, phases[i].name);
        chainsi_metrics_write_histogram(phases[i].name, labels,
                                        sums + i * CHAINSI_HISTOGRAM_COUNTERS, out);
    }
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
        uint64_t count = counts[i];
        if (count || i == CHAINS_OK)
            chainsi_buffer_printf(out,
                                  "chains_calls_total{chainlet=\"%s\",status=\"%s\"} %" PRIu64 "\n",
                                  chainlet, chains_status_name((chains_status)i), count);
    }
    write_phases(chainlet, counts + CHAINSI_METRICS_STATUSES, out);
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
    if (server->handshakes || server->strangers) {
        write_gauge(out, chainlet, "chains_tls_handshakes_total", "counter",
                    "TLS handshakes of callers.", server->handshakes);
        write_gauge(out, chainlet, "chains_tls_resumed_total", "counter",
                    "Of them those that a ticket made short.", server->resumed);
        write_gauge(out, chainlet, "chains_tls_refused_total", "counter",
                    "Connections without one: no good certificate, no TLS, too slow, too many.",
                    server->strangers);
    }
    write_gauge(out, chainlet, "chains_ready", "gauge", "1 once _new has returned.", ready);
}
