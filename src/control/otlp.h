/* OTLP/HTTP with JSON: where to send spans and metrics, as the usual variables of OpenTelemetry say, and what
 * is sent. */
#ifndef CHAINSI_CONTROL_OTLP_H
#define CHAINSI_CONTROL_OTLP_H

#include "base/arena.h"
#include "base/buffer.h"
#include "runtime/span.h"

/* One "name=value" of a list. */
typedef struct chainsi_otlp_pair {
    const char *name, *value;
} chainsi_otlp_pair;

typedef struct chainsi_otlp_pairs {
    chainsi_otlp_pair *items;
    size_t count;
} chainsi_otlp_pairs;

typedef enum chainsi_otlp_signal { CHAINSI_OTLP_TRACES, CHAINSI_OTLP_METRICS } chainsi_otlp_signal;

typedef struct chainsi_otlp_settings {
    const char *url; /* to POST to; NULL: nothing is exported */
    chainsi_otlp_pairs headers;
    chainsi_otlp_pairs attributes; /* of every resource */
    const char *service_name;      /* of the daemon's own */
    long timeout_ms;               /* of one request */
    long interval_ms;              /* between two, of metrics */
} chainsi_otlp_settings;

/* Reads OTEL_EXPORTER_OTLP_ENDPOINT, …_HEADERS, …_TIMEOUT, …_PROTOCOL, each also as
 * OTEL_EXPORTER_OTLP_TRACES_… or …_METRICS_…, which counts first; OTEL_SERVICE_NAME,
 * OTEL_RESOURCE_ATTRIBUTES, OTEL_SDK_DISABLED, OTEL_TRACES_EXPORTER=none or OTEL_METRICS_EXPORTER=none, and
 * OTEL_METRIC_EXPORT_INTERVAL. look_up gives the value of a variable, as getenv. Texts are arena's. What makes
 * no sense is left out, and *why gets a sentence of it; else NULL. */
void chainsi_otlp_read(chainsi_otlp_settings *settings, chainsi_otlp_signal signal,
                       const char *(*look_up)(const char *name), chainsi_arena *arena,
                       const char **why);

typedef struct chainsi_otlp_span {
    const char *chain;
    chainsi_span span;
    int64_t unix_offset_ns; /* to be added to its times */
} chainsi_otlp_span;

/* Appends an ExportTraceServiceRequest in JSON. Each Chainlet is a service: service.name is its name,
 * service.namespace its chain. */
void chainsi_otlp_encode(const chainsi_otlp_settings *settings,
                         const chainsi_otlp_span *const *spans, size_t count, chainsi_buffer *out);

/* What came of one process: families (control/exposition.h), whose process they are, and since when it counts.
 * chainlet "": the daemon. */
typedef struct chainsi_otlp_metrics {
    const struct chainsi_family *families;
    const char *chain, *environment, *version, *chainlet, *instance;
    int64_t started_unix_ms;
} chainsi_otlp_metrics;

/* Appends an ExportMetricsServiceRequest in JSON. Each process is a resource, as of spans, with its number
 * as service.instance.id. Counters are sums and histograms since its start (cumulative); labels become
 * attributes, names stay as they are. */
void chainsi_otlp_encode_metrics(const chainsi_otlp_settings *settings,
                                 const chainsi_otlp_metrics *sources, size_t count,
                                 int64_t now_unix_ms, chainsi_buffer *out);

#endif
