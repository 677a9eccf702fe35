/* Counters and histograms of two looks, subtracted. A sample is known by its name and labels; both looks have them in one order. */
#include "cli/live.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "control/exposition.h"

enum { MOST_BUCKETS = 128 };

typedef struct chainsi_live_sample {
    const char *key; /* what it is, whole */
    const chainsi_sample *sample;
    double value;
} chainsi_live_sample;

/* The families that rates are made of. */
static const char *const counters[] = { "chains_front_calls_total", "chains_calls_total",
                                        "chains_dependency_calls_total" };
static const char *const times[] = { "chains_front_seconds_bucket", "chains_run_seconds_bucket",
                                     "chains_dependency_seconds_bucket" };
enum { OF_FRONT, OF_CHAINLET, OF_CALLS, KINDS };

static bool is_one_of(const char *name, const char *const *names)
{
    for (size_t i = 0; i < KINDS; i++)
        if (!strcmp(name, names[i]))
            return true;
    return false;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const chainsi_live_sample *)a)->key, ((const chainsi_live_sample *)b)->key);
}

static const char *make_key(const chainsi_sample *sample, chainsi_arena *arena)
{
    chainsi_buffer key = { 0 };
    chainsi_buffer_add_text(&key, sample->name);
    for (size_t i = 0; i < sample->labels.count; i++) {
        chainsi_buffer_add_byte(&key, ' ');
        chainsi_exposition_add_label(&key, sample->labels.items[i].name,
                                     sample->labels.items[i].value);
    }
    const char *text = chainsi_arena_copy(arena, key.data, key.size);
    chainsi_buffer_done(&key);
    return text;
}

void chainsi_live_look_take(chainsi_live_look *look, const char *text, size_t size, int64_t at_ns)
{
    *look = (chainsi_live_look){ .at_ns = at_ns };
    const chainsi_family *families = chainsi_exposition_read(text, size, &look->arena);
    size_t count = 0;
    for (const chainsi_family *family = families; family; family = family->next)
        for (const chainsi_sample *sample = family->samples; sample; sample = sample->next)
            count++;
    look->samples = chainsi_arena_array(&look->arena, count, sizeof *look->samples);
    for (const chainsi_family *family = families; family; family = family->next)
        for (const chainsi_sample *sample = family->samples; sample; sample = sample->next)
            if (is_one_of(sample->name, counters) || is_one_of(sample->name, times))
                look->samples[look->count++] =
                    (chainsi_live_sample){ make_key(sample, &look->arena), sample, sample->value };
    if (look->count)
        qsort(look->samples, look->count, sizeof *look->samples, compare);
}

void chainsi_live_look_done(chainsi_live_look *look)
{
    chainsi_arena_done(&look->arena);
    *look = (chainsi_live_look){ 0 };
}

void chainsi_live_between(chainsi_live *live, const chainsi_live_look *old,
                          const chainsi_live_look *now)
{
    *live = (chainsi_live){ 0 };
    if (!old || !now || now->at_ns <= old->at_ns)
        return;
    live->seconds = (double)(now->at_ns - old->at_ns) / 1e9;
    live->samples = chainsi_arena_array(&live->arena, now->count, sizeof *live->samples);
    size_t before = 0;
    for (size_t i = 0; i < now->count; i++) {
        chainsi_live_sample sample = now->samples[i];
        while (before < old->count && strcmp(old->samples[before].key, sample.key) < 0)
            before++;
        if (before < old->count && !strcmp(old->samples[before].key, sample.key) &&
            old->samples[before].value <= sample.value)
            sample.value -= old->samples[before].value;
        if (sample.value > 0)
            live->samples[live->count++] = sample;
    }
}

void chainsi_live_done(chainsi_live *live)
{
    chainsi_arena_done(&live->arena);
    *live = (chainsi_live){ 0 };
}

/* ------------------------------------------------------------------------------------------------
 * rates */

/* What samples are summed: those that have all of these labels. */
typedef struct selection {
    size_t kind;
    chainsi_label labels[4];
    size_t count;
} selection;

static bool selects(const selection *which, const chainsi_labels *labels)
{
    for (size_t i = 0; i < which->count; i++) {
        const char *value = chainsi_labels_find(labels, which->labels[i].name);
        if (!value || strcmp(value, which->labels[i].value) != 0)
            return false;
    }
    return true;
}

/* A histogram, cumulative as it came: how many took up to so many seconds. */
typedef struct buckets {
    double limits[MOST_BUCKETS], counts[MOST_BUCKETS];
    size_t count;
} buckets;

/* Adds to a bucket, in the order of their limits. */
static void add_bucket(buckets *all, double limit, double count)
{
    size_t at = 0;
    while (at < all->count && all->limits[at] < limit)
        at++;
    if (at == all->count || all->limits[at] > limit) {
        if (all->count == MOST_BUCKETS)
            return;
        memmove(all->limits + at + 1, all->limits + at, (all->count - at) * sizeof *all->limits);
        memmove(all->counts + at + 1, all->counts + at, (all->count - at) * sizeof *all->counts);
        all->limits[at] = limit;
        all->counts[at] = 0;
        all->count++;
    }
    all->counts[at] += count;
}

/* The time within which this share ended, by a straight line through its bucket; beyond the last limit: that limit. -1: there are none. */
static double find_quantile_ms(const buckets *all, double share)
{
    if (!all->count || all->counts[all->count - 1] <= 0)
        return -1;
    const double wanted = share * all->counts[all->count - 1];
    double below = 0, counted = 0;
    for (size_t i = 0; i < all->count; i++) {
        if (all->counts[i] >= wanted && all->counts[i] > counted) {
            if (isinf(all->limits[i]))
                break;
            return 1e3 * (below + (all->limits[i] - below) * (wanted - counted) /
                                      (all->counts[i] - counted));
        }
        counted = all->counts[i] > counted ? all->counts[i] : counted;
        below = isinf(all->limits[i]) ? below : all->limits[i];
    }
    return 1e3 * below;
}

static chainsi_live_rate measure(const chainsi_live *live, const selection *which)
{
    chainsi_live_rate rate = { .p50_ms = -1, .p99_ms = -1 };
    buckets all;
    all.count = 0;
    for (size_t i = 0; i < live->count; i++) {
        const chainsi_sample *sample = live->samples[i].sample;
        const double value = live->samples[i].value;
        const bool timed = !strcmp(sample->name, times[which->kind]);
        if ((!timed && strcmp(sample->name, counters[which->kind]) != 0) ||
            !selects(which, &sample->labels))
            continue;
        if (timed) {
            const char *limit = chainsi_labels_find(&sample->labels, "le");
            if (limit)
                add_bucket(&all, strtod(limit, NULL), value);
            continue;
        }
        const char *status = chainsi_labels_find(&sample->labels, "status");
        rate.calls_per_s += value / live->seconds;
        if (status && strcmp(status, "OK") != 0 && strcmp(status, "CANCELLED") != 0)
            rate.failed_per_s += value / live->seconds;
    }
    rate.p50_ms = find_quantile_ms(&all, 0.5);
    rate.p99_ms = find_quantile_ms(&all, 0.99);
    return rate;
}

chainsi_live_rate chainsi_live_front(const chainsi_live *live, const char *chain,
                                     const char *environment)
{
    const selection which = { OF_FRONT, { { "chain", chain }, { "environment", environment } }, 2 };
    return measure(live, &which);
}

chainsi_live_rate chainsi_live_chainlet(const chainsi_live *live, const char *chain,
                                        const char *environment, const char *chainlet)
{
    const selection which = {
        OF_CHAINLET,
        { { "chain", chain }, { "environment", environment }, { "chainlet", chainlet } },
        3,
    };
    return measure(live, &which);
}

chainsi_live_rate chainsi_live_calls(const chainsi_live *live, const char *chain,
                                     const char *environment, const char *from, const char *to)
{
    const selection which = {
        OF_CALLS,
        { { "chain", chain },
          { "environment", environment },
          { "chainlet", from },
          { "callee", to } },
        4,
    };
    return measure(live, &which);
}
