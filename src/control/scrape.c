/* One question for each process, over its socket of probes. They may go while they are asked: what an
 * answer needs is copied. */
#include "control/scrape.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/chain.h"
#include "control/handle.h"
#include "control/time_text.h"

/* One process that is asked. */
typedef struct question {
    chainsi_scrape *scrape;
    chainsi_upstream_call *call; /* in flight; NULL */
    chainsi_buffer text;
    bool good;
    chainsi_scraped answer; /* its labels: the scrape's arena */
    struct question *next;
} question;

struct chainsi_scrape {
    chainsi_scrape_options options;
    chainsi_arena arena;
    question *first, **last; /* owned */
    size_t left;
    uv_timer_t *timer;          /* owned; the end of the time, or the end */
    uv_work_t work;             /* its data: this */
    chainsi_buffer own, result; /* texts */
    bool composing, cancelled;
};

/* No more answers are taken. */
static void end_calls(chainsi_scrape *scrape)
{
    for (question *each = scrape->first; each; each = each->next) {
        each->good = each->good && !each->call;
        if (each->call)
            chainsi_upstream_cancel(each->call);
        each->call = NULL;
    }
}

static void free_scrape(chainsi_scrape *scrape)
{
    end_calls(scrape);
    while (scrape->first) {
        question *each = scrape->first;
        scrape->first = each->next;
        chainsi_buffer_done(&each->text);
        free(each);
    }
    chainsi_buffer_done(&scrape->own);
    chainsi_buffer_done(&scrape->result);
    chainsi_handle_close(scrape->timer);
    chainsi_arena_done(&scrape->arena);
    free(scrape);
}

void chainsi_scrape_cancel(chainsi_scrape *scrape)
{
    if (scrape->composing)
        scrape->cancelled = true; /* it is freed when that has ended */
    else
        free_scrape(scrape);
}

/* The end. */

static chainsi_family *read_text(chainsi_scrape *scrape, const chainsi_buffer *text)
{
    return chainsi_exposition_read((const char *)text->data, text->size, &scrape->arena);
}

/* On a thread of the pool; nobody else has a hand in it meanwhile. */
static void compose(uv_work_t *work)
{
    chainsi_scrape *scrape = work->data;
    chainsi_scraped own = {
        .source.families = read_text(scrape, &scrape->own),
        .started_unix_ms = scrape->options.own_began_unix_ms,
    };
    chainsi_scraped *last = &own;
    for (question *each = scrape->first; each; each = each->next) {
        if (!each->good || !each->text.size)
            continue;
        each->answer.source.families = read_text(scrape, &each->text);
        last->source.next = &each->answer.source;
        last = &each->answer;
    }
    scrape->options.compose(scrape->options.settings, &own, &scrape->result);
}

static void on_composed(uv_work_t *work, int status)
{
    (void)status;
    chainsi_scrape *scrape = work->data;
    if (!scrape->cancelled)
        scrape->options.on_end(scrape->options.user, &scrape->result);
    free_scrape(scrape);
}

static void finish(chainsi_scrape *scrape)
{
    const chainsi_scrape_options *options = &scrape->options;
    end_calls(scrape);
    options->write_own(options->user, &scrape->own);
    scrape->composing = true;
    scrape->work.data = scrape;
    uv_queue_work(options->registry->supervisor->loop, &scrape->work, compose, on_composed);
}

static void on_time(uv_timer_t *timer)
{
    if (timer->data)
        finish(timer->data);
}

/* An answer. */

static void on_head(void *user, const chainsi_http_response *response)
{
    question *each = user;
    each->good = response->status == 200;
}

static void on_body(void *user, const char *data, size_t size)
{
    question *each = user;
    if (each->text.size + size > CHAINSI_SCRAPE_MOST_TEXT)
        each->good = false;
    if (each->good)
        chainsi_buffer_add(&each->text, data, size);
}

static void on_end(void *user, chainsi_upstream_end end, const char *why)
{
    (void)why;
    question *each = user;
    chainsi_scrape *scrape = each->scrape;
    each->call = NULL;
    each->good = each->good && end == CHAINSI_UPSTREAM_ANSWERED;
    if (!--scrape->left)
        uv_timer_start(scrape->timer, on_time, 0, 0);
}

/* The questions. */

static void add_labels(chainsi_scrape *scrape, const chainsi_replica *replica,
                       chainsi_labels *labels)
{
    const chainsi_history_place *place = &replica->options.place;
    const chainsi_label all[] = {
        { "chain", place->chain },
        { "environment", place->environment },
        { "version", place->version },
        { "chainlet", place->chainlet },
        { "replica", replica->pod
                         ? replica->pod
                         : chainsi_arena_printf(&scrape->arena, "%ld", (long)replica->pid) },
    };
    labels->count = sizeof all / sizeof *all;
    labels->items = chainsi_arena_array(&scrape->arena, labels->count, sizeof *labels->items);
    for (size_t i = 0; i < labels->count; i++)
        labels->items[i] =
            (chainsi_label){ all[i].name, chainsi_arena_strdup(&scrape->arena, all[i].value) };
}

static void ask(chainsi_scrape *scrape, const chainsi_replica *replica)
{
    static const char head[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static const chainsi_upstream_events events = { on_head, on_body, on_end };
    question *each = chainsi_make(sizeof *each);
    each->scrape = scrape;
    each->answer.started_unix_ms =
        chainsi_unix_ms() - (chainsi_now_ns() - replica->started_ns) / CHAINSI_NS_PER_MS;
    add_labels(scrape, replica, &each->answer.source.labels);
    *scrape->last = each;
    scrape->last = &each->next;
    scrape->left++;
    each->call = chainsi_upstream_start(replica->probes, head, sizeof head - 1, NULL, 0, false,
                                        &events, each);
}

/* Whether it answers for all that is known. */
static bool answers(const chainsi_replica *replica)
{
    return (replica->pid || (replica->pod && replica->probes)) &&
           (replica->state == CHAINSI_REPLICA_READY || replica->state == CHAINSI_REPLICA_DRAINING);
}

chainsi_scrape *chainsi_scrape_start(const chainsi_scrape_options *options)
{
    chainsi_supervisor *supervisor = options->registry->supervisor;
    chainsi_scrape *scrape = chainsi_make(sizeof *scrape);
    scrape->options = *options;
    if (options->settings)
        scrape->options.settings =
            chainsi_arena_copy(&scrape->arena, options->settings, options->settings_size);
    scrape->last = &scrape->first;
    scrape->timer = chainsi_timer_new(supervisor->loop, scrape);
    for (const chainsi_replica *each = supervisor->replicas; each; each = each->next)
        if (answers(each) &&
            (!options->shows || options->shows(options->user, each->options.place.chain)))
            ask(scrape, each);
    uv_timer_start(scrape->timer, on_time, scrape->left ? CHAINSI_SCRAPE_MS : 0, 0);
    return scrape;
}
