/* Sends spans to where OTEL_EXPORTER_OTLP_ENDPOINT says (control/otlp.h): in batches, one request at a time.
 *
 *            a second, or a whole batch                answered 2xx
 *   WAITING -----------------------------> SENDING ------------------> WAITING
 *                                          ^     \  failed, may get better
 *                                          |      v
 *                                          '-- BACKING_OFF
 *
 * A failure may get better if there was no answer, or one of 429, 502, 503, 504: then the same batch is sent
 * again, after twice as long each time, or as Retry-After says. What fails otherwise, or for the eighth time, is
 * dropped, as is what finds the queue full; both are counted. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_EXPORTER_H
#define CHAINSI_CONTROL_EXPORTER_H

#include <uv.h>

#include "control/courier.h"
#include "control/otlp.h"

typedef struct chainsi_export_policy {
    size_t most_queued; /* spans */
    size_t batch;       /* spans of one request */
    unsigned delay_ms;  /* that the first of a batch waits for others */
    unsigned first_pause_ms, longest_pause_ms;
    int attempts;
    unsigned finish_ms; /* for what is left at the end */
} chainsi_export_policy;

extern const chainsi_export_policy chainsi_export_usual;

typedef struct chainsi_exporter chainsi_exporter;

/* settings, with a URL, is copied, what it points to not; policy and courier neither. Never NULL. */
chainsi_exporter *chainsi_exporter_new(uv_loop_t *loop, chainsi_courier *courier,
                                       const chainsi_otlp_settings *settings,
                                       const chainsi_export_policy *policy);
/* Copies a span into the queue. As of chainsi_collector_taker, user being the exporter. */
void chainsi_exporter_take(void *exporter, const char *chain, const chainsi_span *span,
                           int64_t unix_offset_ns);
/* No more will come: what is queued is sent at once, once, and for policy's finish_ms at most. The loop is
 * kept alive as long, and not afterwards. NULL is allowed. */
void chainsi_exporter_finish(chainsi_exporter *exporter);
/* Handles are still closing when it returns. NULL is allowed. */
void chainsi_exporter_free(chainsi_exporter *exporter);

uint64_t chainsi_exporter_sent(const chainsi_exporter *exporter);
uint64_t chainsi_exporter_dropped(const chainsi_exporter *exporter);
/* How long to wait before the next attempt after so many that failed: random, between half of the pause and
 * all of it. */
int64_t chainsi_export_pause_ms(const chainsi_export_policy *policy, int failures, uint64_t random);

#endif
