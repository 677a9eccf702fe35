/* OTLP/HTTP with JSON: where to send spans, as the usual variables of OpenTelemetry say, and what is sent. */
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

typedef struct chainsi_otlp_settings {
    const char *url; /* to POST spans to; NULL: none are exported */
    chainsi_otlp_pairs headers;
    chainsi_otlp_pairs attributes; /* of every resource */
    const char *service_name;      /* of the daemon's own spans */
    long timeout_ms;               /* of one request */
} chainsi_otlp_settings;

/* Reads OTEL_EXPORTER_OTLP_ENDPOINT, …_HEADERS, …_TIMEOUT, each also as OTEL_EXPORTER_OTLP_TRACES_…,
 * which counts first; OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_SDK_DISABLED and
 * OTEL_TRACES_EXPORTER=none. look_up gives the value of a variable, as getenv. Texts are arena's. What makes
 * no sense is left out, and *why gets a sentence of it; else NULL. */
void chainsi_otlp_read(chainsi_otlp_settings *settings, const char *(*look_up)(const char *name),
                       chainsi_arena *arena, const char **why);

typedef struct chainsi_otlp_span {
    const char *chain;
    chainsi_span span;
    int64_t unix_offset_ns; /* to be added to its times */
} chainsi_otlp_span;

/* Appends an ExportTraceServiceRequest in JSON. Each Chainlet is a service: service.name is its name,
 * service.namespace its chain. */
void chainsi_otlp_encode(const chainsi_otlp_settings *settings,
                         const chainsi_otlp_span *const *spans, size_t count, chainsi_buffer *out);

#endif
