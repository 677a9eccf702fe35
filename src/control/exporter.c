/* The batch that is on its way stands at the front of the queue until it is known what became of it. */
#include "control/exporter.h"

#include <stdlib.h>
#include <string.h>

#include "control/handle.h"
#include "control/log.h"
#include "control/otlp_post.h"
#include "runtime/context.h"

enum { MOST_BATCH = 512 };

const chainsi_export_policy chainsi_export_usual = {
    .most_queued = 8192,
    .batch = MOST_BATCH,
    .delay_ms = 1000,
    .first_pause_ms = 1000,
    .longest_pause_ms = 60000,
    .attempts = 8,
    .finish_ms = 2000,
};

typedef struct queued {
    chainsi_otlp_span it; /* its texts follow */
    struct queued *next;
} queued;

typedef enum state { WAITING, SENDING, BACKING_OFF } state;

struct chainsi_exporter {
    uv_loop_t *loop; /* not owned */
    chainsi_otlp_settings settings;
    const chainsi_export_policy *policy;
    chainsi_otlp_post *post; /* owned */
    chainsi_buffer body;     /* of the request */
    uv_timer_t *timer;       /* owned: the delay, or the pause */
    uv_timer_t *finisher;    /* owned */
    state state;
    queued *first, *last;  /* owned */
    size_t count, sending; /* in the queue; of these, on their way */
    int failures;          /* of this batch, in a row */
    bool finishing;
    bool said; /* that it can't be reached */
    uint64_t sent, dropped;
};

static void send_batch(chainsi_exporter *exporter);

static void on_time(uv_timer_t *timer)
{
    if (timer->data)
        send_batch(timer->data);
}

static void on_done(void *user, const chainsi_otlp_answer *answer);

chainsi_exporter *chainsi_exporter_new(uv_loop_t *loop, chainsi_courier *courier,
                                       const chainsi_otlp_settings *settings,
                                       const chainsi_export_policy *policy)
{
    chainsi_exporter *exporter = chainsi_make(sizeof *exporter);
    exporter->loop = loop;
    exporter->settings = *settings;
    exporter->policy = policy;
    exporter->post = chainsi_otlp_post_new(courier, &exporter->settings, on_done, exporter);
    exporter->timer = chainsi_timer_new(loop, exporter);
    exporter->finisher = chainsi_timer_new(loop, exporter);
    uv_unref((uv_handle_t *)exporter->timer);
    return exporter;
}

static void remove_first(chainsi_exporter *exporter, size_t count)
{
    for (; count; count--) {
        queued *removed = exporter->first;
        exporter->first = removed->next;
        if (!exporter->first)
            exporter->last = NULL;
        exporter->count--;
        free(removed);
    }
}

void chainsi_exporter_free(chainsi_exporter *exporter)
{
    if (!exporter)
        return;
    chainsi_otlp_post_free(exporter->post);
    remove_first(exporter, exporter->count);
    chainsi_handle_close(exporter->timer);
    chainsi_handle_close(exporter->finisher);
    chainsi_buffer_done(&exporter->body);
    free(exporter);
}

static const char *place_text(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *placed = memcpy(*at, text, size);
    *at += size;
    return placed;
}

static queued *copy_span(const char *chain, const chainsi_span *span)
{
    size_t size = strlen(chain) + strlen(span->chainlet) + strlen(span->callee) +
                  strlen(span->request_id) + strlen(span->raised_by) + strlen(span->file) +
                  strlen(span->message) + 7;
    queued *made = chainsi_make(sizeof *made + size);
    char *at = (char *)(made + 1);
    chainsi_span *copy = &made->it.span;
    *copy = *span;
    made->it.chain = place_text(&at, chain);
    copy->chainlet = place_text(&at, span->chainlet);
    copy->callee = place_text(&at, span->callee);
    copy->request_id = place_text(&at, span->request_id);
    copy->raised_by = place_text(&at, span->raised_by);
    copy->file = place_text(&at, span->file);
    copy->message = place_text(&at, span->message);
    copy->left_at = NULL; /* isn't exported */
    return made;
}

void chainsi_exporter_take(void *user, const char *chain, const chainsi_span *span,
                           int64_t unix_offset_ns)
{
    chainsi_exporter *exporter = user;
    if (exporter->count >= exporter->policy->most_queued) {
        exporter->dropped++;
        return;
    }
    queued *added = copy_span(chain, span);
    added->it.unix_offset_ns = unix_offset_ns;
    if (exporter->last)
        exporter->last->next = added;
    else
        exporter->first = added;
    exporter->last = added;
    exporter->count++;
    if (exporter->state != WAITING || exporter->finishing)
        return;
    if (exporter->count == 1)
        uv_timer_start(exporter->timer, on_time, exporter->policy->delay_ms, 0);
    else if (exporter->count == exporter->policy->batch)
        uv_timer_start(exporter->timer, on_time, 0, 0);
}

static void encode_batch(chainsi_exporter *exporter)
{
    const chainsi_otlp_span *batch[MOST_BATCH];
    size_t most = exporter->policy->batch < MOST_BATCH ? exporter->policy->batch : MOST_BATCH;
    exporter->sending = 0;
    for (queued *at = exporter->first; at && exporter->sending < most; at = at->next)
        batch[exporter->sending++] = &at->it;
    exporter->body.size = 0;
    chainsi_otlp_encode(&exporter->settings, batch, exporter->sending, &exporter->body);
}

static void send_batch(chainsi_exporter *exporter)
{
    if (!exporter->count)
        return;
    if (!exporter->failures)
        encode_batch(exporter);
    const long timeout_ms =
        exporter->finishing ? (long)exporter->policy->finish_ms : exporter->settings.timeout_ms;
    exporter->state = SENDING;
    chainsi_otlp_post_send(exporter->post, &exporter->body, timeout_ms);
}

int64_t chainsi_export_pause_ms(const chainsi_export_policy *policy, int failures, uint64_t random)
{
    int64_t pause_ms = policy->first_pause_ms;
    for (int i = 1; i < failures && pause_ms < policy->longest_pause_ms; i++)
        pause_ms *= 2;
    if (pause_ms > policy->longest_pause_ms)
        pause_ms = policy->longest_pause_ms;
    return pause_ms / 2 + (int64_t)(random % (uint64_t)(pause_ms / 2 + 1));
}

static void go_on(chainsi_exporter *exporter)
{
    exporter->state = WAITING;
    exporter->failures = 0;
    if (!exporter->count || exporter->finishing)
        return;
    uv_timer_start(exporter->timer, on_time,
                   exporter->count >= exporter->policy->batch ? 0 : exporter->policy->delay_ms, 0);
}

static void drop_batch(chainsi_exporter *exporter, const char *why, long status)
{
    if (!exporter->said && status)
        chainsi_say("spans are not taken where OTEL_EXPORTER_OTLP_ENDPOINT says: HTTP %ld", status);
    else if (!exporter->said)
        chainsi_say("spans can't be sent where OTEL_EXPORTER_OTLP_ENDPOINT says: %s", why);
    exporter->said = true;
    exporter->dropped += exporter->sending;
    remove_first(exporter, exporter->sending);
    go_on(exporter);
}

static void on_done(void *user, const chainsi_otlp_answer *answer)
{
    chainsi_exporter *exporter = user;
    const long status = answer->status;
    if (status >= 200 && status < 300) {
        if (exporter->said)
            chainsi_say("spans are exported again");
        exporter->said = false;
        exporter->sent += exporter->sending;
        remove_first(exporter, exporter->sending);
        go_on(exporter);
        if (exporter->finishing)
            send_batch(exporter); /* the rest */
        return;
    }
    const bool better = !status || status == 429 || (status >= 502 && status <= 504);
    if (!better || exporter->finishing || ++exporter->failures >= exporter->policy->attempts) {
        drop_batch(exporter, answer->why, status);
        return;
    }
    int64_t pause_ms =
        chainsi_export_pause_ms(exporter->policy, exporter->failures, chainsi_random());
    if (answer->retry_after_ms > pause_ms)
        pause_ms = answer->retry_after_ms < exporter->policy->longest_pause_ms
                       ? answer->retry_after_ms
                       : (int64_t)exporter->policy->longest_pause_ms;
    exporter->state = BACKING_OFF;
    uv_timer_start(exporter->timer, on_time, (uint64_t)pause_ms, 0);
}

static void on_late(uv_timer_t *timer)
{
    chainsi_exporter *exporter = timer->data;
    if (!exporter || exporter->state != SENDING)
        return;
    chainsi_otlp_post_cancel(exporter->post);
    exporter->state = WAITING;
    exporter->dropped += exporter->count;
}

void chainsi_exporter_finish(chainsi_exporter *exporter)
{
    if (!exporter || exporter->finishing)
        return;
    exporter->finishing = true;
    uv_timer_stop(exporter->timer);
    uv_timer_start(exporter->finisher, on_late, exporter->policy->finish_ms, 0);
    uv_unref((uv_handle_t *)exporter->finisher); /* what is sent keeps the loop alive */
    if (exporter->state != SENDING)
        send_batch(exporter);
}

uint64_t chainsi_exporter_sent(const chainsi_exporter *exporter)
{
    return exporter ? exporter->sent : 0;
}

uint64_t chainsi_exporter_dropped(const chainsi_exporter *exporter)
{
    return exporter ? exporter->dropped : 0;
}
