/* One scaler a Chainlet, and the pulse that asks them all. */
#include "control/scaler.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/handle.h"

enum {
    LONGEST_PULSE_MS = 1000,
    SHORTEST_PULSE_MS = 20,
    PULSES_A_WINDOW = 10, /* as scaling.h asks for */
};

/* What all scalers of a daemon share; made with the first and gone with the last. */
typedef struct chainsi_pulse {
    uv_timer_t *timer; /* owned; active while some scaler has something to decide */
    int diag_fd;       /* owned; of chainsi_demand_open */
    chainsi_scaler *scalers;
} chainsi_pulse;

struct chainsi_scaler {
    chainsi_scaler_options options;
    chainsi_pulse *pulse;
    chainsi_scaling scaling;
    uint64_t turns;    /* of the board, at the last look */
    uv_poll_t *watch;  /* owned; of the listening socket, at zero; else NULL */
    bool failed_start; /* that not all could be started has been said */
    chainsi_scaler *previous, *next;
};

/* Measuring. */

chainsi_demand chainsi_scaler_measure(const chainsi_scaler *scaler)
{
    if (scaler->options.measure)
        return scaler->options.measure(scaler->options.user);
    return chainsi_demand_read(scaler->pulse->diag_fd, scaler->options.calls_fd,
                               scaler->options.fleet->board);
}

static chainsi_scaling_observation observe(chainsi_scaler *scaler)
{
    const chainsi_scaling_options *options = &scaler->options.scaling;
    chainsi_demand demand = chainsi_scaler_measure(scaler);
    chainsi_fleet_counts counts = chainsi_fleet_count(scaler->options.fleet);
    chainsi_scaling_observation seen = {
        .now_ns = chainsi_now_ns(),
        .in_flight = demand.running,
        .waiting = demand.waiting,
        .ready = counts.ready,
        .starting = counts.starting,
        .called = demand.turns != scaler->turns,
    };
    scaler->turns = demand.turns;
    /* What isn't ready was started for a call that has come or is about to, and so hasn't been idle.
     * Nor has what has failed, whose callers are answered in its place. */
    if (!counts.ready && counts.starting)
        seen.waiting = fmax(seen.waiting, 1);
    /* Replicas that aren't on the board are taken to be as busy as those that are; if none is, to have
     * just what they are for. */
    if (counts.ready > demand.replicas) {
        double share = options->concurrency_target * options->target_utilization;
        double busy = demand.replicas ? (double)demand.running / demand.replicas : share;
        seen.in_flight = busy * (double)counts.ready;
        seen.called = true;
    }
    return seen;
}

/* Deciding. */

static bool is_steady(const chainsi_scaler *scaler)
{
    const chainsi_scaling_options *options = &scaler->options.scaling;
    const chainsi_fleet *fleet = scaler->options.fleet;
    if (!fleet->wanted)
        return true;
    chainsi_fleet_counts counts = chainsi_fleet_count(fleet);
    return options->min_replicas == options->max_replicas &&
           fleet->wanted == options->min_replicas &&
           counts.ready + counts.starting == fleet->wanted;
}

static void on_pulse(uv_timer_t *timer);

/* Starts the pulse if something is to be decided and nothing is about to. */
static void feel(chainsi_pulse *pulse)
{
    double interval_ms = INFINITY;
    for (const chainsi_scaler *scaler = pulse->scalers; scaler; scaler = scaler->next)
        if (!is_steady(scaler))
            interval_ms =
                fmin(interval_ms, scaler->options.scaling.window_s * 1000 / PULSES_A_WINDOW);
    if (isinf(interval_ms)) {
        uv_timer_stop(pulse->timer);
        return;
    }
    interval_ms = fmax(SHORTEST_PULSE_MS, fmin(LONGEST_PULSE_MS, interval_ms));
    if (!uv_is_active((uv_handle_t *)pulse->timer) ||
        uv_timer_get_due_in(pulse->timer) > (uint64_t)interval_ms)
        uv_timer_start(pulse->timer, on_pulse, (uint64_t)interval_ms, 0);
}

static void on_call(uv_poll_t *poll, int status, int events);

static void set_watch(chainsi_scaler *scaler)
{
    bool at_zero = !scaler->options.fleet->wanted && scaler->options.calls_fd >= 0;
    if (at_zero == (scaler->watch != NULL))
        return;
    chainsi_handle_close(scaler->watch);
    scaler->watch = NULL;
    if (!at_zero)
        return;
    uv_poll_t *poll = chainsi_make(sizeof *poll);
    int error = uv_poll_init(scaler->options.fleet->options.start.supervisor->loop, poll,
                             scaler->options.calls_fd);
    if (error) {
        free(poll);
        chainsi_say("%s: its socket can't be watched: %s",
                    scaler->options.fleet->options.start.label, uv_strerror(error));
        return;
    }
    poll->data = scaler;
    scaler->watch = poll;
    uv_poll_start(poll, UV_READABLE, on_call);
}

static void resize(chainsi_scaler *scaler, int64_t replicas)
{
    char why[256];
    bool good = chainsi_fleet_resize(scaler->options.fleet, replicas, why, sizeof why);
    if (!good && !scaler->failed_start)
        chainsi_say("%s: not all replicas can be started: %s",
                    scaler->options.fleet->options.start.label, why);
    scaler->failed_start = !good;
    set_watch(scaler);
}

static void tell(const chainsi_scaler *scaler, const chainsi_scaling_decision *decision,
                 bool by_caller)
{
    char text[512];
    chainsi_scaled scaled = {
        .from = scaler->options.fleet->wanted,
        .to = decision->replicas,
        .reason = by_caller ? "caller" : chainsi_scaling_reason_name(decision->reason),
        .text = text,
    };
    if (by_caller)
        snprintf(text, sizeof text, "a Chainlet that calls it is woken: %lld replica%s, up from 0",
                 (long long)scaled.to, scaled.to == 1 ? "" : "s");
    else
        chainsi_scaling_text(decision, text, sizeof text);
    scaler->options.on_scaled(scaler->options.user, &scaled);
}

static void decide(chainsi_scaler *scaler, const chainsi_scaling_observation *seen, bool by_caller)
{
    chainsi_scaling_decision decision =
        chainsi_scaling_decide(&scaler->scaling, &scaler->options.scaling, seen);
    if (decision.replicas != scaler->options.fleet->wanted)
        tell(scaler, &decision, by_caller);
    resize(scaler, decision.replicas);
}

static void look(chainsi_scaler *scaler)
{
    chainsi_scaling_observation seen = observe(scaler);
    decide(scaler, &seen, false);
}

static void on_pulse(uv_timer_t *timer)
{
    chainsi_pulse *pulse = timer->data;
    if (!pulse)
        return;
    for (chainsi_scaler *scaler = pulse->scalers; scaler; scaler = scaler->next)
        if (!is_steady(scaler))
            look(scaler);
    feel(pulse);
}

/* Waking. */

static void wake(chainsi_scaler *scaler, bool by_caller)
{
    chainsi_scaling_observation seen = observe(scaler);
    seen.waiting = fmax(seen.waiting, 1); /* it has come, whoever takes it, or is about to */
    decide(scaler, &seen, by_caller);
    feel(scaler->pulse);
}

static void on_call(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    if (poll->data)
        chainsi_scaler_call_waits(poll->data);
}

void chainsi_scaler_call_waits(chainsi_scaler *scaler)
{
    if (scaler->options.fleet->wanted)
        return;
    wake(scaler, false);
    scaler->options.on_woken(scaler->options.user);
}

void chainsi_scaler_wake(chainsi_scaler *scaler)
{
    if (!scaler->options.fleet->wanted)
        wake(scaler, true);
}

/* Its life. */

static chainsi_pulse *take_pulse(chainsi_supervisor *supervisor)
{
    if (supervisor->pulse)
        return supervisor->pulse;
    chainsi_pulse *pulse = chainsi_make(sizeof *pulse);
    pulse->timer = chainsi_timer_new(supervisor->loop, pulse);
    pulse->diag_fd = chainsi_demand_open();
    if (pulse->diag_fd < 0)
        chainsi_say("the kernel can't be asked for the queues of sockets: %s", strerror(errno));
    supervisor->pulse = pulse;
    return pulse;
}

static void leave_pulse(chainsi_supervisor *supervisor)
{
    chainsi_pulse *pulse = supervisor->pulse;
    if (pulse->scalers) {
        feel(pulse);
        return;
    }
    supervisor->pulse = NULL;
    chainsi_handle_close(pulse->timer);
    if (pulse->diag_fd >= 0)
        close(pulse->diag_fd);
    free(pulse);
}

chainsi_scaler *chainsi_scaler_new(const chainsi_scaler_options *options)
{
    chainsi_scaler *scaler = chainsi_make(sizeof *scaler);
    scaler->options = *options;
    scaler->pulse = take_pulse(options->fleet->options.start.supervisor);
    scaler->next = scaler->pulse->scalers;
    if (scaler->next)
        scaler->next->previous = scaler;
    scaler->pulse->scalers = scaler;
    look(scaler);
    feel(scaler->pulse);
    return scaler;
}

void chainsi_scaler_free(chainsi_scaler *scaler)
{
    if (!scaler)
        return;
    if (scaler->previous)
        scaler->previous->next = scaler->next;
    else
        scaler->pulse->scalers = scaler->next;
    if (scaler->next)
        scaler->next->previous = scaler->previous;
    chainsi_handle_close(scaler->watch);
    leave_pulse(scaler->options.fleet->options.start.supervisor);
    free(scaler);
}

void chainsi_scaler_set_options(chainsi_scaler *scaler, const chainsi_scaling_options *options)
{
    scaler->options.scaling = *options;
    look(scaler);
    feel(scaler->pulse);
}
