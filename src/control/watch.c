/* How it goes round: the timer runs until the next question, then until the answer has to be there;
 * a question that wasn't answered by then is taken back, and the next one follows at once. */
#include "control/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/handle.h"

enum {
    MOST_PAUSE_MS = 1000, /* between an answer and the next question */
    LEAST_PAUSE_MS = 20,
    MOST_PATIENCE_MS = 1000, /* with one question */
    LEAST_UNANSWERED = 2,    /* a daemon that stood still itself may have missed one answer */
    MOST_SAID = 200,         /* bytes of an answer that are looked at */
};

struct chainsi_watch {
    chainsi_upstream *probes; /* not owned */
    double timeout_s;
    void (*on_stalled)(void *user, const char *why);
    void *user;
    uv_timer_t *timer;               /* owned */
    chainsi_upstream_call *question; /* in flight; NULL */
    double silent_s;                 /* for how long questions have gone without an answer */
    int status;                      /* of the answer that is coming in */
    char said[MOST_SAID + 1];
    size_t said_size;
};

static void ask(chainsi_watch *watch);

static uint64_t pause_ms(const chainsi_watch *watch)
{
    double ms = watch->timeout_s * 1000 / 4;
    return ms > MOST_PAUSE_MS ? MOST_PAUSE_MS : ms < LEAST_PAUSE_MS ? LEAST_PAUSE_MS : (uint64_t)ms;
}

static uint64_t patience_ms(const chainsi_watch *watch)
{
    double ms = watch->timeout_s * 1000 / LEAST_UNANSWERED;
    return ms > MOST_PATIENCE_MS ? MOST_PATIENCE_MS : ms < 1 ? 1 : (uint64_t)ms;
}

static void on_pause_over(uv_timer_t *timer)
{
    if (timer->data)
        ask(timer->data);
}

static void go_on(chainsi_watch *watch, bool at_once)
{
    uv_timer_start(watch->timer, on_pause_over, at_once ? 0 : pause_ms(watch), 0);
}

/* A question found nobody who answers. */
static void note_silence(chainsi_watch *watch, double silent_s, bool at_once)
{
    watch->silent_s += silent_s;
    if (watch->silent_s < watch->timeout_s) {
        go_on(watch, at_once);
        return;
    }
    char why[128];
    uv_timer_stop(watch->timer);
    snprintf(why, sizeof why, "stalled: its probes have not been answered for %.1f s",
             watch->silent_s);
    watch->on_stalled(watch->user, why);
}

static void on_patience_over(uv_timer_t *timer)
{
    chainsi_watch *watch = timer->data;
    if (!watch)
        return;
    chainsi_upstream_cancel(watch->question);
    watch->question = NULL;
    /* As long as it was meant to be, however late this comes. */
    note_silence(watch, (double)patience_ms(watch) / 1000, true);
}

static void on_head(void *user, const chainsi_http_response *response)
{
    chainsi_watch *watch = user;
    watch->status = response->status;
}

static void on_body(void *user, const char *data, size_t size)
{
    chainsi_watch *watch = user;
    size_t room = MOST_SAID - watch->said_size;
    if (size > room)
        size = room;
    memcpy(watch->said + watch->said_size, data, size);
    watch->said_size += size;
}

static void on_end(void *user, chainsi_upstream_end end, const char *why)
{
    (void)why;
    chainsi_watch *watch = user;
    watch->question = NULL;
    if (end != CHAINSI_UPSTREAM_ANSWERED) {
        note_silence(watch, (double)pause_ms(watch) / 1000, false); /* the pause that follows */
        return;
    }
    watch->silent_s = 0;
    watch->said[watch->said_size] = 0;
    if (watch->status != 503 || strncmp(watch->said, "stalled", 7) != 0) {
        go_on(watch, false);
        return;
    }
    watch->said[strcspn(watch->said, "\r\n")] = 0;
    uv_timer_stop(watch->timer);
    watch->on_stalled(watch->user, watch->said);
}

static void ask(chainsi_watch *watch)
{
    static const chainsi_upstream_events events = { on_head, on_body, on_end };
    static const char question[] = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    watch->status = 0;
    watch->said_size = 0;
    watch->question = chainsi_upstream_start(watch->probes, question, sizeof question - 1, NULL, 0,
                                             false, &events, watch);
    uv_timer_start(watch->timer, on_patience_over, patience_ms(watch), 0);
}

chainsi_watch *chainsi_watch_new(uv_loop_t *loop, chainsi_upstream *probes, double timeout_s,
                                 void (*on_stalled)(void *user, const char *why), void *user)
{
    chainsi_watch *watch = chainsi_make(sizeof *watch);
    watch->probes = probes;
    watch->timeout_s = timeout_s;
    watch->on_stalled = on_stalled;
    watch->user = user;
    watch->timer = chainsi_timer_new(loop, watch);
    go_on(watch, false);
    return watch;
}

void chainsi_watch_free(chainsi_watch *watch)
{
    if (!watch)
        return;
    if (watch->question)
        chainsi_upstream_cancel(watch->question);
    chainsi_handle_close(watch->timer);
    free(watch);
}
