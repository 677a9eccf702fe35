/* Sends what is at /metrics to where OTEL_EXPORTER_OTLP_ENDPOINT says, at intervals: all processes are asked,
 * and one request has what came. Numbers are cumulative, so one that gets lost is no loss: the next one has
 * all of it. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_METRIC_EXPORTER_H
#define CHAINSI_CONTROL_METRIC_EXPORTER_H

#include "control/courier.h"
#include "control/otlp.h"
#include "control/registry.h"

typedef struct chainsi_metric_exporter chainsi_metric_exporter;

typedef struct chainsi_metric_exporter_options {
    uv_loop_t *loop;
    chainsi_courier *courier; /* not owned */
    const chainsi_registry *registry;
    chainsi_otlp_settings settings; /* with a URL; what it points to is not copied */
    /* As of chainsi_scrape_options. */
    void (*write_own)(void *user, chainsi_buffer *out);
    void *user;
} chainsi_metric_exporter_options;

/* Never NULL. Its timer doesn't keep the loop alive. */
chainsi_metric_exporter *
chainsi_metric_exporter_new(const chainsi_metric_exporter_options *options);
/* Ends what is under way. Handles are still closing when it returns. NULL is allowed. */
void chainsi_metric_exporter_free(chainsi_metric_exporter *exporter);

/* Requests that were taken, and that were not. */
uint64_t chainsi_metric_exporter_sent(const chainsi_metric_exporter *exporter);
uint64_t chainsi_metric_exporter_failed(const chainsi_metric_exporter *exporter);

#endif
