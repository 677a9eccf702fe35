/* One round after the other: asking, then sending. A round that takes longer than the interval takes the next
 * one's place. */
#include "control/metric_exporter.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/handle.h"
#include "control/log.h"
#include "control/otlp_post.h"
#include "control/scrape.h"
#include "control/time_text.h"

/* What a set is made by; what it points to outlives the loop. */
typedef struct recipe {
    chainsi_otlp_settings settings;
    char instance[24]; /* this process */
} recipe;

struct chainsi_metric_exporter {
    chainsi_metric_exporter_options options;
    uv_timer_t *timer;       /* owned */
    chainsi_scrape *scrape;  /* owned; NULL: nobody is being asked */
    chainsi_otlp_post *post; /* owned */
    chainsi_buffer body;
    int64_t began_unix_ms;
    bool said; /* that it can't be sent */
    uint64_t sent, failed;
};

static void on_done(void *user, const chainsi_otlp_answer *answer)
{
    chainsi_metric_exporter *exporter = user;
    bool taken = answer->status >= 200 && answer->status < 300;
    exporter->sent += taken;
    exporter->failed += !taken;
    if (taken && exporter->said)
        chainsi_say("metrics are exported again");
    else if (!taken && !exporter->said && answer->status)
        chainsi_say("metrics are not taken where OTEL_EXPORTER_OTLP_ENDPOINT says: HTTP %ld",
                    answer->status);
    else if (!taken && !exporter->said)
        chainsi_say("metrics can't be sent where OTEL_EXPORTER_OTLP_ENDPOINT says: %s",
                    answer->why);
    exporter->said = !taken;
}

static const char *label_of(const chainsi_scraped *scraped, const char *name)
{
    const char *value = chainsi_labels_find(&scraped->source.labels, name);
    return value ? value : "";
}

static void compose(const void *settings, const chainsi_scraped *first, chainsi_buffer *out)
{
    const recipe *by = settings;
    size_t count = 0;
    for (const chainsi_source *each = &first->source; each; each = each->next)
        count++;
    chainsi_otlp_metrics *all = chainsi_make(count * sizeof *all);
    count = 0;
    for (const chainsi_source *each = &first->source; each; each = each->next) {
        const chainsi_scraped *scraped = (const chainsi_scraped *)each;
        all[count++] = (chainsi_otlp_metrics){
            .families = each->families,
            .chain = label_of(scraped, "chain"),
            .environment = label_of(scraped, "environment"),
            .version = label_of(scraped, "version"),
            .chainlet = label_of(scraped, "chainlet"),
            .instance = scraped == first ? by->instance : label_of(scraped, "replica"),
            .started_unix_ms = scraped->started_unix_ms,
        };
    }
    chainsi_otlp_encode_metrics(&by->settings, all, count, chainsi_unix_ms(), out);
    free(all);
}

static void on_composed(void *user, const chainsi_buffer *text)
{
    chainsi_metric_exporter *exporter = user;
    exporter->scrape = NULL;
    exporter->body.size = 0;
    chainsi_buffer_add(&exporter->body, text->data, text->size);
    chainsi_otlp_post_send(exporter->post, &exporter->body, exporter->options.settings.timeout_ms);
}

static void write_own(void *user, chainsi_buffer *out)
{
    const chainsi_metric_exporter *exporter = user;
    exporter->options.write_own(exporter->options.user, out);
}

static void on_time(uv_timer_t *timer)
{
    chainsi_metric_exporter *exporter = timer->data;
    if (!exporter || exporter->scrape || chainsi_otlp_post_is_sending(exporter->post))
        return;
    recipe by = { .settings = exporter->options.settings };
    snprintf(by.instance, sizeof by.instance, "%ld", (long)getpid());
    exporter->scrape = chainsi_scrape_start(&(chainsi_scrape_options){
        .registry = exporter->options.registry,
        .write_own = write_own,
        .own_began_unix_ms = exporter->began_unix_ms,
        .compose = compose,
        .settings = &by,
        .settings_size = sizeof by,
        .on_end = on_composed,
        .user = exporter,
    });
}

chainsi_metric_exporter *chainsi_metric_exporter_new(const chainsi_metric_exporter_options *options)
{
    chainsi_metric_exporter *exporter = chainsi_make(sizeof *exporter);
    uint64_t interval_ms = (uint64_t)options->settings.interval_ms;
    exporter->options = *options;
    exporter->began_unix_ms = chainsi_unix_ms();
    exporter->post =
        chainsi_otlp_post_new(options->courier, &exporter->options.settings, on_done, exporter);
    exporter->timer = chainsi_timer_new(options->loop, exporter);
    uv_timer_start(exporter->timer, on_time, interval_ms, interval_ms);
    uv_unref((uv_handle_t *)exporter->timer);
    return exporter;
}

void chainsi_metric_exporter_free(chainsi_metric_exporter *exporter)
{
    if (!exporter)
        return;
    if (exporter->scrape)
        chainsi_scrape_cancel(exporter->scrape);
    chainsi_otlp_post_free(exporter->post);
    chainsi_handle_close(exporter->timer);
    chainsi_buffer_done(&exporter->body);
    free(exporter);
}

uint64_t chainsi_metric_exporter_sent(const chainsi_metric_exporter *exporter)
{
    return exporter ? exporter->sent : 0;
}

uint64_t chainsi_metric_exporter_failed(const chainsi_metric_exporter *exporter)
{
    return exporter ? exporter->failed : 0;
}
