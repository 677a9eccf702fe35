/* The scaling policy. Invariants: scaling->replicas is within 0 and CHAINSI_SCALING_MOST, and within
 * the bounds of the options that were last decided by; sums are finite and never negative. */
#include "control/scaling.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    PARTS = 60,      /* buckets of a window, and of a delay */
    BURST_PARTS = 6, /* of a window: the short one, by which bursts are noticed */
    FRESH_PARTS = 1, /* of a window, beside the one that has just begun: calls that just came */
};

static const double tolerance = 0.1, first_tolerance = 0.05, down_tolerance = 0.15;
static const double burst_factor = 2;
static const double patient_windows = 3;          /* for a backlog to be gone at its pace */
static const int64_t no_index = INT64_MIN;        /* of what was never written to */
static const int64_t most_ns = INT64_MAX / 2;     /* so that delays can be added to it */
static const double most_calls = 1e12;            /* more than that is taken for that */
static const double least_s = 1e-3, most_s = 1e8; /* of times in options: sums stay exact enough */

static double clamp(double value, double least, double most)
{
    return value >= least ? (value <= most ? value : most) : least; /* NaN: least */
}

static int64_t clamp_integer(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

static double or_default(double value, double otherwise)
{
    return value != 0 ? value : otherwise; /* zero is unset */
}

chainsi_scaling_options chainsi_scaling_options_of(const chains_config *config)
{
    static const chains_config unset;
    const chains_config *from = config ? config : &unset;
    double concurrency = from->concurrency > 0 ? from->concurrency : 1;
    double down_s = or_default(from->autoscaling.scale_down_delay_s, 300);
    double zero_s = or_default(from->autoscaling.scale_to_zero_delay_s, 900);
    chainsi_scaling_options options = {
        .min_replicas = from->autoscaling.min_replicas,
        .max_replicas = from->autoscaling.max_replicas,
        .concurrency_target = or_default(from->autoscaling.concurrency_target, concurrency),
        .target_utilization = or_default(from->autoscaling.target_utilization, 0.7),
        .window_s = or_default(from->autoscaling.window_s, 60),
        .scale_down_delay_s = down_s > 0 ? down_s : 0,
        .scale_to_zero_delay_s = zero_s > 0 ? zero_s : 0,
    };
    if (options.max_replicas <= 0)
        options.max_replicas = options.min_replicas > 1 ? options.min_replicas : 1;
    return options;
}

/* The options as they can be decided by. */
static chainsi_scaling_options make_usable(const chainsi_scaling_options *from)
{
    chainsi_scaling_options options = {
        .min_replicas = clamp_integer(from->min_replicas, 0, CHAINSI_SCALING_MOST),
        .concurrency_target = clamp(from->concurrency_target, 1e-3, 1e9),
        .target_utilization = clamp(from->target_utilization, 1e-3, 1),
        .window_s = clamp(from->window_s, least_s, most_s),
        .scale_down_delay_s = clamp(from->scale_down_delay_s, 0, most_s),
        .scale_to_zero_delay_s = clamp(from->scale_to_zero_delay_s, 0, most_s),
    };
    int64_t least = options.min_replicas > 1 ? options.min_replicas : 1;
    options.max_replicas = clamp_integer(from->max_replicas, least, CHAINSI_SCALING_MOST);
    return options;
}

static int64_t to_ns(double seconds)
{
    return (int64_t)(seconds * 1e9);
}

/* Whole replicas for a need. A billionth is forgiven: 7 / 0.7 is a little more than 10. */
static int64_t round_up(double need)
{
    return (int64_t)ceil(clamp(need, 0, CHAINSI_SCALING_MOST) * (1 - 1e-9));
}

/* --- buckets */

static int64_t index_at(int64_t now_ns, double span_s)
{
    int64_t width_ns = to_ns(span_s) / PARTS;
    return now_ns / (width_ns > 0 ? width_ns : 1);
}

static chainsi_scaling_bucket *bucket_at(chainsi_scaling *scaling, int64_t now_ns)
{
    int64_t index = index_at(now_ns, scaling->window_s);
    chainsi_scaling_bucket *bucket = &scaling->buckets[index % CHAINSI_SCALING_BUCKETS];
    if (bucket->index != index)
        *bucket = (chainsi_scaling_bucket){ .index = index, .least = INFINITY };
    return bucket;
}

/* Adds up the newest buckets: `parts` of them and the one that has just begun. */
static chainsi_scaling_bucket sum_up(const chainsi_scaling *scaling, int parts)
{
    int64_t newest = index_at(scaling->now_ns, scaling->window_s);
    chainsi_scaling_bucket sum = { .least = INFINITY };
    for (size_t i = 0; i < CHAINSI_SCALING_BUCKETS; i++) {
        const chainsi_scaling_bucket *bucket = &scaling->buckets[i];
        if (bucket->index > newest || bucket->index < newest - parts)
            continue;
        sum.load_s += bucket->load_s;
        sum.in_flight_s += bucket->in_flight_s;
        sum.seen_s += bucket->seen_s;
        sum.calls_s += bucket->calls_s;
        sum.least = fmin(sum.least, bucket->least);
    }
    return sum;
}

static void note_peak(chainsi_scaling *scaling, int64_t at_ns, double need)
{
    int64_t index = index_at(at_ns, scaling->delay_s);
    chainsi_scaling_peak *peak = &scaling->peaks[index % CHAINSI_SCALING_BUCKETS];
    if (peak->index != index)
        *peak = (chainsi_scaling_peak){ .index = index };
    peak->need = fmax(peak->need, need);
}

static double find_peak(const chainsi_scaling *scaling)
{
    int64_t newest = index_at(scaling->now_ns, scaling->delay_s);
    double need = 0;
    for (size_t i = 0; i < CHAINSI_SCALING_BUCKETS; i++) {
        const chainsi_scaling_peak *peak = &scaling->peaks[i];
        if (peak->index <= newest && peak->index >= newest - PARTS)
            need = fmax(need, peak->need);
    }
    return need;
}

/* When the bucket ended, or now. */
static int64_t end_of(int64_t index, double span_s, int64_t now_ns)
{
    int64_t width_ns = to_ns(span_s) / PARTS;
    int64_t end_ns = (index + 1) * (width_ns > 0 ? width_ns : 1) - 1;
    return end_ns < now_ns ? end_ns : now_ns;
}

/* Puts what was measured into buckets of other widths, each as a whole: sums are weighted by the
 * seconds that they are of, so that averages stay right. */
static void change_window(chainsi_scaling *scaling, double window_s)
{
    chainsi_scaling old = *scaling;
    int64_t newest = index_at(old.now_ns, old.window_s);
    scaling->window_s = window_s;
    for (size_t i = 0; i < CHAINSI_SCALING_BUCKETS; i++)
        scaling->buckets[i] = (chainsi_scaling_bucket){ .index = no_index };
    /* From the oldest on: a place that two share is the later one's. */
    for (int64_t index = newest > PARTS ? newest - PARTS : 0; index <= newest; index++) {
        const chainsi_scaling_bucket *from = &old.buckets[index % CHAINSI_SCALING_BUCKETS];
        if (from->index != index)
            continue;
        chainsi_scaling_bucket *to = bucket_at(scaling, end_of(index, old.window_s, old.now_ns));
        to->load_s += from->load_s;
        to->in_flight_s += from->in_flight_s;
        to->seen_s += from->seen_s;
        to->calls_s += from->calls_s;
        to->least = fmin(to->least, from->least);
    }
}

static void change_delay(chainsi_scaling *scaling, double delay_s)
{
    chainsi_scaling old = *scaling;
    int64_t newest = index_at(old.now_ns, old.delay_s);
    scaling->delay_s = delay_s;
    for (size_t i = 0; i < CHAINSI_SCALING_BUCKETS; i++)
        scaling->peaks[i] = (chainsi_scaling_peak){ .index = no_index };
    for (int64_t index = newest > PARTS ? newest - PARTS : 0; index <= newest; index++) {
        const chainsi_scaling_peak *from = &old.peaks[index % CHAINSI_SCALING_BUCKETS];
        if (from->index == index)
            note_peak(scaling, end_of(index, old.delay_s, old.now_ns), from->need);
    }
}

/* --- measuring */

/* One decision in the making. */
typedef struct deliberation {
    chainsi_scaling *scaling;
    const chainsi_scaling_options *options;
    double share;              /* calls that one replica is for */
    double in_flight, waiting; /* of now */
    double calls;              /* both */
    double fresh;              /* of calls: by how many they just grew */
    double recent;             /* calls, averaged over the short window */
    double pace;               /* calls by which they fall in a window, as it looks now */
    double load, load_s;       /* calls in flight, averaged over so many seconds; 0: none yet */
    bool starting;             /* something that was asked for isn't there yet */
    double elapsed_s;          /* since the observation before, as far as it counts */
} deliberation;

static void begin(chainsi_scaling *scaling, const chainsi_scaling_options *options,
                  const chainsi_scaling_observation *observation)
{
    int64_t there = clamp_integer(observation->ready, 0, CHAINSI_SCALING_MOST) +
                    clamp_integer(observation->starting, 0, CHAINSI_SCALING_MOST);
    *scaling = (chainsi_scaling){
        .begun = true,
        .replicas = clamp_integer(there, 0, CHAINSI_SCALING_MOST),
        .now_ns = clamp_integer(observation->now_ns, 0, most_ns),
        .window_s = options->window_s,
        .delay_s = options->scale_down_delay_s,
    };
    scaling->last_call_ns = scaling->last_starting_ns = scaling->now_ns;
    scaling->last_waiting_ns = -most_ns; /* never */
    for (size_t i = 0; i < CHAINSI_SCALING_BUCKETS; i++) {
        scaling->buckets[i].index = no_index;
        scaling->peaks[i].index = no_index;
    }
    /* What is there when the measuring begins was needed, for all one knows. */
    note_peak(scaling, scaling->now_ns, (double)scaling->replicas);
}

static void measure(deliberation *d, const chainsi_scaling_observation *observation)
{
    chainsi_scaling *scaling = d->scaling;
    double short_s = scaling->window_s * BURST_PARTS / PARTS;
    int64_t now_ns = clamp_integer(observation->now_ns, scaling->now_ns, most_ns);
    d->elapsed_s = clamp((double)(now_ns - scaling->now_ns) / 1e9, 0, short_s);
    scaling->now_ns = now_ns;
    d->in_flight = clamp(observation->in_flight, 0, most_calls);
    d->waiting = clamp(observation->waiting, 0, most_calls);
    d->calls = d->in_flight + d->waiting;
    if (d->calls > 0 || observation->called)
        scaling->last_call_ns = now_ns;

    d->starting = observation->starting > 0;
    if (d->starting)
        scaling->last_starting_ns = now_ns;
    bool catching_up = now_ns < scaling->catching_up_ns;
    if (catching_up && d->starting && d->waiting > 0)
        scaling->catching_up_ns = now_ns + to_ns(scaling->window_s);

    chainsi_scaling_bucket *bucket = bucket_at(scaling, now_ns);
    bucket->seen_s += d->elapsed_s;
    bucket->calls_s += d->calls * d->elapsed_s;
    bucket->least = fmin(bucket->least, d->calls);
    chainsi_scaling_bucket recent = sum_up(scaling, BURST_PARTS);
    d->recent = recent.seen_s > 0 ? recent.calls_s / recent.seen_s : d->calls;
    /* `recent` is of the middle of the short window. */
    d->pace = (d->recent - d->calls) * 2 * PARTS / BURST_PARTS;
    int64_t soon_ns = now_ns + to_ns(short_s);
    if (catching_up && d->waiting > 0 && d->waiting <= d->pace && scaling->catching_up_ns < soon_ns)
        scaling->catching_up_ns = soon_ns;
    if (d->waiting > 0)
        scaling->last_waiting_ns = now_ns;
    bool backlog = catching_up && now_ns - scaling->last_waiting_ns < to_ns(short_s);
    /* Where nothing is ready nothing can be in flight, which tells nothing of the load. */
    if (!backlog && !(d->waiting > 0 && observation->ready <= 0)) {
        bucket->load_s += d->elapsed_s;
        bucket->in_flight_s += d->in_flight * d->elapsed_s;
        scaling->measured_s = fmin(scaling->measured_s + d->elapsed_s, most_s);
    }

    chainsi_scaling_bucket fresh = sum_up(scaling, FRESH_PARTS);
    d->fresh = fmax(d->calls - fmin(fresh.least, scaling->calls), 0);
    scaling->calls = d->calls;
    chainsi_scaling_bucket all = sum_up(scaling, PARTS - 1);
    if (scaling->measured_s >= short_s * (1 - 1e-9) && all.load_s > 0) {
        d->load = all.in_flight_s / all.load_s;
        d->load_s = fmin(all.load_s, scaling->window_s);
    }
}

/* --- deciding */

static void forget_load(chainsi_scaling *scaling)
{
    scaling->measured_s = 0;
    for (size_t i = 0; i < CHAINSI_SCALING_BUCKETS; i++)
        scaling->buckets[i].load_s = scaling->buckets[i].in_flight_s = 0;
}

static void decide_by(chainsi_scaling_decision *decision, chainsi_scaling_reason reason,
                      int64_t wanted, double calls, double over_s)
{
    decision->reason = reason;
    decision->wanted = clamp_integer(wanted, 0, CHAINSI_SCALING_MOST);
    decision->calls = calls;
    decision->over_s = over_s;
}

/* Many calls that no replica that was asked for can take: how many replicas, if it is a burst; else
 * 0. */
static int64_t find_burst(const deliberation *d)
{
    const chainsi_scaling *scaling = d->scaling;
    double enough = (double)scaling->replicas * d->share * burst_factor;
    int64_t needed = round_up(d->calls / d->share);
    if (!scaling->replicas)
        return needed; /* woken */
    if (d->recent < enough || d->calls < enough)
        return 0;
    int64_t settled_ns = scaling->last_starting_ns + to_ns(scaling->window_s * BURST_PARTS / PARTS);
    bool settled = !d->starting && scaling->now_ns >= settled_ns;
    /* Growing, or standing where the queue is full; and a call waits for each that runs, at least. */
    double full = (double)scaling->replicas * d->options->concurrency_target * burst_factor;
    bool stuck = d->waiting > 0 && d->recent >= full && d->waiting > d->pace * patient_windows;
    /* While replicas start, calls that go on to come at the same pace are what they are for. */
    if (d->fresh < enough * (settled ? 1 : burst_factor) && !(settled && stuck))
        return 0;
    /* How long calls take isn't known, and so not what a backlog needs that has grown for long: what
     * has just come is counted. If that was too little, the truth lies between what there is and what
     * all calls would need if they ran at once: their geometric mean, which is wrong by the same factor
     * at most in either direction. */
    int64_t asked = round_up((d->fresh + (settled ? d->in_flight : 0)) / d->share);
    int64_t mean = settled ? round_up(sqrt((double)scaling->replicas * (double)needed)) : 0;
    int64_t twice = settled ? scaling->replicas * 2 : 0;
    asked = asked > mean ? asked : mean;
    asked = asked > twice ? asked : twice;
    return asked < needed ? asked : needed;
}

/* By what was measured alone, without the bounds. */
static void deliberate(const deliberation *d, chainsi_scaling_decision *decision)
{
    const chainsi_scaling *scaling = d->scaling;
    int64_t replicas = scaling->replicas;
    double need = d->load / d->share;
    bool first = scaling->measured_s < scaling->window_s;
    decide_by(decision, CHAINSI_SCALING_STEADY, replicas, d->load_s > 0 ? d->load : d->calls,
              d->load_s);

    int64_t burst = find_burst(d);
    if (burst > replicas) {
        decide_by(decision, replicas ? CHAINSI_SCALING_BURST : CHAINSI_SCALING_WOKEN, burst,
                  d->calls, 0);
        return;
    }
    if (d->load_s > 0 && replicas > 0 && round_up(need) > replicas &&
        need > (double)replicas * (1 + (first ? first_tolerance : tolerance))) {
        decide_by(decision, CHAINSI_SCALING_LOAD, round_up(need), d->load, d->load_s);
        return;
    }
    if (replicas > 0 && d->calls <= 0 &&
        scaling->now_ns - scaling->last_call_ns >= to_ns(d->options->scale_to_zero_delay_s) &&
        d->options->min_replicas == 0) {
        decide_by(decision, CHAINSI_SCALING_IDLE, 0, 0, d->options->scale_to_zero_delay_s);
        return;
    }
    bool held = scaling->now_ns < scaling->catching_up_ns || (d->starting && d->waiting > 0);
    if (d->load_s > 0 && !held && replicas > 1) {
        double peak = scaling->delay_s > 0 ? find_peak(scaling) : need;
        int64_t fewer = round_up(peak) > 1 ? round_up(peak) : 1;
        if (round_up(peak * (1 + down_tolerance)) < replicas && fewer < replicas)
            decide_by(decision, CHAINSI_SCALING_DOWN, fewer, peak * d->share,
                      scaling->delay_s > 0 ? scaling->delay_s : d->load_s);
    }
}

chainsi_scaling_decision chainsi_scaling_decide(chainsi_scaling *scaling,
                                                const chainsi_scaling_options *options,
                                                const chainsi_scaling_observation *observation)
{
    chainsi_scaling_options usable = make_usable(options);
    if (!scaling->begun)
        begin(scaling, &usable, observation);
    if (scaling->window_s != usable.window_s)
        change_window(scaling, usable.window_s);
    if (scaling->delay_s != usable.scale_down_delay_s)
        change_delay(scaling, usable.scale_down_delay_s);
    deliberation d = { .scaling = scaling,
                       .options = &usable,
                       .share = usable.concurrency_target * usable.target_utilization };
    measure(&d, observation);
    if (d.load_s > 0)
        note_peak(scaling, scaling->now_ns, fmin(d.load / d.share, CHAINSI_SCALING_MOST));

    chainsi_scaling_decision decision = { .before = scaling->replicas, .options = usable };
    deliberate(&d, &decision);
    decision.replicas = clamp_integer(decision.wanted, usable.min_replicas, usable.max_replicas);
    if (decision.replicas == decision.before)
        decision.reason =
            decision.wanted > decision.replicas ? CHAINSI_SCALING_AT_MOST : CHAINSI_SCALING_STEADY;
    else if ((decision.replicas > decision.before) != (decision.wanted > decision.before) ||
             decision.wanted == decision.before)
        decision.reason = CHAINSI_SCALING_BOUNDS;

    scaling->replicas = decision.replicas;
    if (decision.replicas > decision.before) {
        scaling->last_starting_ns = scaling->now_ns;
        note_peak(scaling, scaling->now_ns, (double)decision.replicas);
        if (decision.reason == CHAINSI_SCALING_BURST || decision.reason == CHAINSI_SCALING_WOKEN) {
            scaling->catching_up_ns = scaling->now_ns + to_ns(usable.window_s);
            forget_load(scaling);
        }
    }
    return decision;
}

/* --- telling */

const char *chainsi_scaling_reason_name(chainsi_scaling_reason reason)
{
    switch (reason) {
    case CHAINSI_SCALING_STEADY:
        return "steady";
    case CHAINSI_SCALING_AT_MOST:
        return "at_most";
    case CHAINSI_SCALING_LOAD:
        return "load";
    case CHAINSI_SCALING_BURST:
        return "burst";
    case CHAINSI_SCALING_WOKEN:
        return "woken";
    case CHAINSI_SCALING_DOWN:
        return "down";
    case CHAINSI_SCALING_IDLE:
        return "idle";
    case CHAINSI_SCALING_BOUNDS:
        return "bounds";
    }
    return "steady";
}

/* Three digits, and whole from a hundred on. */
static const char *say(char *text, size_t size, double number)
{
    snprintf(text, size, number < 100 ? "%.3g" : "%.0f", number);
    return text;
}

static void tell_why(const chainsi_scaling_decision *decision, char *text, size_t size)
{
    const chainsi_scaling_options *options = &decision->options;
    char number[32], over[32], calls[48], of[48];
    say(number, sizeof number, decision->calls);
    say(over, sizeof over, decision->over_s);
    snprintf(calls, sizeof calls, "%s call%s", number, strcmp(number, "1") ? "s" : "");
    snprintf(of, sizeof of, "at %.3g of %.3g a replica", options->target_utilization,
             options->concurrency_target);
    switch (decision->reason) {
    case CHAINSI_SCALING_STEADY:
    case CHAINSI_SCALING_AT_MOST:
    case CHAINSI_SCALING_LOAD:
        if (decision->over_s > 0)
            snprintf(text, size, "%s in flight over the last %s s, %s", calls, over, of);
        else
            snprintf(text, size, "%s now, %s", calls, of);
        return;
    case CHAINSI_SCALING_BURST:
        snprintf(text, size, "a burst: %s in flight and waiting, %s", calls, of);
        return;
    case CHAINSI_SCALING_WOKEN:
        snprintf(text, size, "%s and no replica, %s", calls, of);
        return;
    case CHAINSI_SCALING_DOWN:
        snprintf(text, size, "no more than %s in flight for %s s, %s", calls, over, of);
        return;
    case CHAINSI_SCALING_IDLE:
        snprintf(text, size, "no call for %s s", over);
        return;
    case CHAINSI_SCALING_BOUNDS:
        if (decision->replicas == options->min_replicas)
            snprintf(text, size, "min_replicas is %lld", (long long)options->min_replicas);
        else
            snprintf(text, size, "max_replicas is %lld", (long long)options->max_replicas);
        return;
    }
}

void chainsi_scaling_text(const chainsi_scaling_decision *decision, char *text, size_t size)
{
    char why[192] = "", limit[64] = "", from[64] = "";
    const int64_t replicas = decision->replicas;
    tell_why(decision, why, sizeof why);
    if (decision->reason != CHAINSI_SCALING_BOUNDS && decision->wanted > replicas)
        snprintf(limit, sizeof limit, " (%lld wanted, max_replicas is %lld)",
                 (long long)decision->wanted, (long long)decision->options.max_replicas);
    if (replicas != decision->before)
        snprintf(from, sizeof from, ", %s from %lld", replicas > decision->before ? "up" : "down",
                 (long long)decision->before);
    snprintf(text, size, "%s: %lld replica%s%s%s", why, (long long)replicas,
             replicas == 1 ? "" : "s", from, limit);
}
