#include "control/live.h"

#include <stdlib.h>
#include <string.h>

#include "control/handle.h"

/* A topic that somebody wants. */
typedef struct topic {
    chainsi_topic of;    /* its texts are owned, but for event */
    chainsi_buffer text; /* as it was written last */
    uint64_t edition;    /* counts its changes; 0: nothing was written */
    size_t viewers;
    struct topic *next;
} topic;

typedef struct viewer {
    chainsi_live *live;
    chainsi_exchange *exchange;
    topic *topics[CHAINSI_LIVE_TOPICS];
    uint64_t seen[CHAINSI_LIVE_TOPICS]; /* editions */
    size_t topic_count;
    bool happened;
    char *chain; /* owned; whose happenings; NULL: of all */
    int64_t after;
    unsigned silent; /* ticks since something was sent */
    struct viewer *previous, *next;
} viewer;

struct chainsi_live {
    chainsi_live_options options;
    uv_timer_t *timer; /* owned; active while there are viewers */
    topic *topics;     /* owned */
    viewer *viewers;   /* owned */
    size_t count;
    chainsi_buffer scratch;
    bool stopped;
};

/* Topics. */

static bool is_same(const char *one, const char *other)
{
    return one && other ? !strcmp(one, other) : one == other;
}

static topic *take_topic(chainsi_live *live, const chainsi_topic *of)
{
    topic *each = live->topics;
    while (each && (strcmp(each->of.event, of->event) != 0 || !is_same(each->of.chain, of->chain) ||
                    !is_same(each->of.environment, of->environment)))
        each = each->next;
    if (!each) {
        each = chainsi_make(sizeof *each);
        each->of = (chainsi_topic){
            .event = of->event,
            .chain = chainsi_copy_text(of->chain),
            .environment = chainsi_copy_text(of->environment),
        };
        each->next = live->topics;
        live->topics = each;
    }
    each->viewers++;
    return each;
}

static void leave_topic(chainsi_live *live, topic *left)
{
    if (--left->viewers)
        return;
    topic **at = &live->topics;
    while (*at != left)
        at = &(*at)->next;
    *at = left->next;
    free((char *)(uintptr_t)left->of.chain);
    free((char *)(uintptr_t)left->of.environment);
    chainsi_buffer_done(&left->text);
    free(left);
}

/* Writes it anew; a change is another edition. */
static void write_topic(chainsi_live *live, topic *of)
{
    chainsi_buffer *text = &live->scratch;
    text->size = 0;
    live->options.write(live->options.user, &of->of, text);
    if (of->text.size == text->size &&
        (!text->size || !memcmp(of->text.data, text->data, text->size)))
        return;
    const chainsi_buffer old = of->text;
    of->text = *text;
    *text = old;
    of->edition++;
}

/* Viewers. */

static void remove_viewer(viewer *gone)
{
    chainsi_live *live = gone->live;
    for (size_t i = 0; i < gone->topic_count; i++)
        leave_topic(live, gone->topics[i]);
    if (gone->previous)
        gone->previous->next = gone->next;
    else
        live->viewers = gone->next;
    if (gone->next)
        gone->next->previous = gone->previous;
    free(gone->chain);
    free(gone);
    if (!--live->count)
        uv_timer_stop(live->timer);
}

static void on_gone(chainsi_exchange *exchange)
{
    remove_viewer(exchange->user);
}

void chainsi_live_add_event(chainsi_buffer *out, const char *event, const void *data, size_t size)
{
    chainsi_buffer_add_text(out, "event: ");
    chainsi_buffer_add_text(out, event);
    chainsi_buffer_add_text(out, "\ndata: ");
    chainsi_buffer_add(out, data, size);
    chainsi_buffer_add_text(out, "\n\n");
}

/* Sends what it hasn't seen, if it has read all else. */
static void serve(viewer *to)
{
    chainsi_live *live = to->live;
    chainsi_buffer *out = &live->scratch;
    if (chainsi_exchange_waiting(to->exchange))
        return;
    out->size = 0;
    for (size_t i = 0; i < to->topic_count; i++) {
        const topic *of = to->topics[i];
        if (to->seen[i] != of->edition && of->text.size)
            chainsi_live_add_event(out, of->of.event, of->text.data, of->text.size);
        to->seen[i] = of->edition;
    }
    if (to->happened)
        to->after = live->options.write_happened(live->options.user, to->chain, to->after, out);
    if (!out->size && ++to->silent >= CHAINSI_LIVE_COMMENT_TICKS)
        chainsi_buffer_add_text(out, ":\n\n");
    if (!out->size)
        return;
    to->silent = 0;
    chainsi_exchange_write(to->exchange, out->data, out->size);
}

static void on_tick(uv_timer_t *timer)
{
    chainsi_live *live = timer->data;
    if (!live)
        return;
    for (topic *each = live->topics; each; each = each->next)
        write_topic(live, each);
    for (viewer *each = live->viewers, *next; each; each = next) {
        next = each->next;
        serve(each);
    }
}

bool chainsi_live_begin(chainsi_live *live, chainsi_exchange *exchange,
                        const chainsi_live_wish *wish)
{
    if (live->stopped || live->count == CHAINSI_LIVE_VIEWERS)
        return false;
    viewer *made = chainsi_make(sizeof *made);
    made->live = live;
    made->exchange = exchange;
    made->happened = wish->happened;
    made->chain = chainsi_copy_text(wish->chain);
    made->after = wish->after;
    made->topic_count = wish->topic_count;
    for (size_t i = 0; i < wish->topic_count; i++) {
        made->topics[i] = take_topic(live, &wish->topics[i]);
        write_topic(live, made->topics[i]);
    }
    made->next = live->viewers;
    if (made->next)
        made->next->previous = made;
    live->viewers = made;
    if (!live->count++)
        uv_timer_start(live->timer, on_tick, CHAINSI_LIVE_TICK_MS, CHAINSI_LIVE_TICK_MS);
    exchange->user = made;
    exchange->on_gone = on_gone;
    chainsi_buffer lines = { 0 };
    chainsi_buffer_add_text(&lines, "Content-Type: text/event-stream\r\n"
                                    "Cache-Control: no-store\r\nX-Accel-Buffering: no\r\n");
    chainsi_exchange_begin(exchange, 200, &lines, -1);
    chainsi_buffer_done(&lines);
    serve(made);
    return true;
}

/* Its life. */

chainsi_live *chainsi_live_new(const chainsi_live_options *options)
{
    chainsi_live *live = chainsi_make(sizeof *live);
    live->options = *options;
    live->timer = chainsi_timer_new(options->loop, live);
    uv_unref((uv_handle_t *)live->timer);
    return live;
}

size_t chainsi_live_count(const chainsi_live *live)
{
    return live->count;
}

void chainsi_live_stop(chainsi_live *live)
{
    live->stopped = true;
    while (live->viewers) {
        chainsi_exchange *exchange = live->viewers->exchange;
        remove_viewer(live->viewers);
        exchange->on_gone = NULL;
        chainsi_exchange_end(exchange);
    }
}

void chainsi_live_free(chainsi_live *live)
{
    if (!live)
        return;
    while (live->viewers) {
        live->viewers->exchange->on_gone = NULL;
        remove_viewer(live->viewers);
    }
    chainsi_handle_close(live->timer);
    chainsi_buffer_done(&live->scratch);
    free(live);
}
