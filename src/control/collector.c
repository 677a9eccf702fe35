#include "control/collector.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/ring.h"
#include "control/handle.h"
#include "runtime/span_batch.h"

enum {
    SOON_MS = 1000,
    SELDOM_MS = 15000,
};

struct chainsi_collected {
    chainsi_collector *collector;
    chainsi_ring *ring; /* owned */
    chainsi_ring_reader reader;
    uint64_t taken; /* records before that number were handed on by a brain that has ended */
    char *chain;    /* owned */
    chainsi_collected *next;
};

struct chainsi_collector {
    uv_timer_t *timer;        /* owned */
    bool is_soon;             /* it will fire within SOON_MS */
    chainsi_traces *traces;   /* owned */
    chainsi_collected *rings; /* owned */
    uint64_t lost;            /* of rings that were removed */
    chainsi_sampling sampling;
    const chainsi_redactor *redactor; /* not owned; NULL: nothing is taken out */
    chainsi_buffer message;           /* of the span at hand, redacted */
    chainsi_collector_taker taker;
    void *taker_user;
    void (*on_calls)(void *user); /* NULL: nobody wants to know */
    void *listener;
};

static void on_time(uv_timer_t *timer);

static void wait_for(chainsi_collector *collector, bool soon)
{
    collector->is_soon = soon;
    uv_timer_start(collector->timer, on_time, soon ? SOON_MS : SELDOM_MS, 0);
}

chainsi_collector *chainsi_collector_new(uv_loop_t *loop)
{
    chainsi_collector *collector = chainsi_make(sizeof *collector);
    collector->timer = chainsi_timer_new(loop, collector);
    uv_unref((uv_handle_t *)collector->timer);
    collector->traces = chainsi_traces_new(&chainsi_traces_usual);
    return collector;
}

void chainsi_collector_free(chainsi_collector *collector)
{
    if (!collector)
        return;
    assert(!collector->rings);
    chainsi_handle_close(collector->timer);
    chainsi_traces_free(collector->traces);
    chainsi_buffer_done(&collector->message);
    free(collector);
}

void chainsi_collector_set_taker(chainsi_collector *collector, chainsi_collector_taker taker,
                                 void *user)
{
    collector->taker = taker;
    collector->taker_user = user;
}

/* What is to be added to CLOCK_MONOTONIC for the time since 1970. */
static int64_t unix_offset_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - chainsi_now_ns();
}

void chainsi_collector_set_listener(chainsi_collector *collector, void (*on_calls)(void *user),
                                    void *user)
{
    collector->on_calls = on_calls;
    collector->listener = user;
}

void chainsi_collector_redact(chainsi_collector *collector, const chainsi_redactor *redactor)
{
    collector->redactor = redactor;
}

/* Lives until the next one. */
static const char *redact_message(chainsi_collector *collector, const char *text)
{
    enum { MOST_OF_A_CHARACTER = 4 };
    chainsi_buffer *out = &collector->message;
    chainsi_redaction stream = { 0 };
    size_t size = strlen(text);
    out->size = 0;
    chainsi_redact(collector->redactor, &stream, text, size, out);
    if (stream.held.size && size + MOST_OF_A_CHARACTER > CHAINSI_SPAN_MESSAGE) {
        chainsi_buffer_add_text(out, "[redacted]");
        stream.held.size = 0;
    }
    chainsi_redact_end(collector->redactor, &stream, out);
    chainsi_buffer_add_byte(out, 0);
    return (const char *)out->data;
}

static void take(chainsi_collector *collector, const char *chain, const chainsi_span *told,
                 int64_t offset_ns, bool is_new)
{
    chainsi_span redacted;
    const chainsi_span *span = told;
    if (collector->redactor && *told->message) {
        redacted = *told;
        redacted.message = redact_message(collector, told->message);
        span = &redacted;
    }
    chainsi_traces_add(collector->traces, chain, span, offset_ns);
    if (collector->taker && is_new)
        collector->taker(collector->taker_user, chain, span, offset_ns);
}

/* Whether something was there. */
static bool read_ring(chainsi_collected *collected)
{
    const int64_t offset_ns = unix_offset_ns();
    chainsi_span_record record;
    size_t size;
    bool some = false;
    chainsi_ring_begin(collected->ring, &collected->reader, chainsi_now_ns());
    while ((size = chainsi_ring_next(collected->ring, &collected->reader, record.words))) {
        chainsi_span span;
        some = true;
        if (chainsi_span_unpack(&span, &record, size))
            take(collected->collector, collected->chain, &span, offset_ns,
                 collected->reader.next > collected->taken);
        else
            collected->reader.lost++;
    }
    chainsi_ring_mark(collected->ring, &collected->reader);
    return some;
}

static bool read_all(chainsi_collector *collector)
{
    bool some = false;
    for (chainsi_collected *collected = collector->rings; collected; collected = collected->next)
        some = read_ring(collected) || some;
    return some;
}

static void tell_of_calls(const chainsi_collector *collector)
{
    if (collector->on_calls)
        collector->on_calls(collector->listener);
}

static void on_time(uv_timer_t *timer)
{
    chainsi_collector *collector = timer->data;
    if (!collector)
        return;
    const bool some = read_all(collector);
    wait_for(collector, some);
    if (some)
        tell_of_calls(collector);
}

chainsi_collected *chainsi_collector_add(chainsi_collector *collector, const char *chain,
                                         int ring_fd)
{
    chainsi_ring *ring = collector && ring_fd >= 0 ? chainsi_ring_open(ring_fd) : NULL;
    if (!ring)
        return NULL;
    chainsi_collected *collected = chainsi_make(sizeof *collected);
    collected->collector = collector;
    collected->ring = ring;
    collected->chain = chainsi_copy_text(chain);
    collected->taken = chainsi_ring_marked(ring);
    chainsi_ring_start(ring, &collected->reader);
    collected->next = collector->rings;
    collector->rings = collected;
    if (!uv_is_active((uv_handle_t *)collector->timer))
        wait_for(collector, false);
    return collected;
}

void chainsi_collector_remove(chainsi_collected *collected)
{
    if (!collected)
        return;
    chainsi_collector *collector = collected->collector;
    read_ring(collected);
    chainsi_collected **at = &collector->rings;
    while (*at != collected)
        at = &(*at)->next;
    *at = collected->next;
    collector->lost += collected->reader.lost;
    if (!collector->rings)
        uv_timer_stop(collector->timer);
    chainsi_ring_close(collected->ring);
    free(collected->chain);
    free(collected);
}

void chainsi_collector_expect(chainsi_collector *collector)
{
    if (!collector)
        return;
    if (!collector->is_soon && collector->rings)
        wait_for(collector, true);
    tell_of_calls(collector);
}

void chainsi_collector_collect(chainsi_collector *collector)
{
    read_all(collector);
}

bool chainsi_collector_take_batch(chainsi_collector *collector, const char *chain, const void *body,
                                  size_t size, char *why, size_t why_size)
{
    chainsi_span_batch batch;
    chainsi_span span;
    if (!chainsi_span_batch_open(&batch, body, size, why, why_size))
        return false;
    while (chainsi_span_batch_next(&batch, &span))
        take(collector, chain, &span, batch.head.unix_offset_ns, true);
    collector->lost += batch.head.lost;
    if (batch.taken)
        tell_of_calls(collector);
    return true;
}

void chainsi_collector_tell(chainsi_collector *collector, const char *chain,
                            const chainsi_span *span)
{
    take(collector, chain, span, unix_offset_ns(), true);
}

bool chainsi_collector_choose(chainsi_collector *collector, const chainsi_trace *trace,
                              int64_t now_ns)
{
    return collector && chainsi_sampling_choose(&collector->sampling, now_ns, trace->low);
}

const chainsi_traces *chainsi_collector_traces(const chainsi_collector *collector)
{
    return collector->traces;
}

uint64_t chainsi_collector_lost(const chainsi_collector *collector)
{
    uint64_t lost = collector->lost;
    for (const chainsi_collected *collected = collector->rings; collected;
         collected = collected->next)
        lost += collected->reader.lost;
    return lost;
}
