#include "control/counts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is read of the samples of a family. */
typedef enum part { CALLS, RETRIES, STARTS, TIMES, QUEUES } part;

/* Whose a family is. */
typedef enum owner { CLIENTS, CHAINLET, EDGE } owner;

static const struct family {
    const char *name;
    part part;
    owner owner;
} families[] = {
    { "chains_calls_total", CALLS, CHAINLET },
    { "chains_run_seconds", TIMES, CHAINLET },
    { "chains_queue_seconds", QUEUES, CHAINLET },
    { "chains_start_seconds", STARTS, CHAINLET },
    { "chains_dependency_calls_total", CALLS, EDGE },
    { "chains_dependency_retries_total", RETRIES, EDGE },
    { "chains_dependency_seconds", TIMES, EDGE },
    { "chains_front_calls_total", CALLS, CLIENTS },
    { "chains_front_seconds", TIMES, CLIENTS },
};

typedef struct reader {
    const chainsi_source *source;
    chainsi_arena *arena;
    chainsi_counted *first, **last;
    size_t count;
} reader;

bool chainsi_subject_is(const chainsi_subject *subject, const chainsi_subject *other)
{
    return !strcmp(subject->chainlet, other->chainlet) && !strcmp(subject->callee, other->callee) &&
           !strcmp(subject->environment, other->environment) &&
           !strcmp(subject->chain, other->chain);
}

/* A label of either, the first that has it; "" if there is none. */
static const char *label_of(const chainsi_labels *first, const chainsi_labels *other,
                            const char *name)
{
    const char *value = chainsi_labels_find(first, name);
    if (!value)
        value = chainsi_labels_find(other, name);
    return value ? value : "";
}

/* NULL: its process tells of too many. */
static chainsi_counted *find(reader *r, const chainsi_sample *sample, owner whose)
{
    const chainsi_labels *told = &sample->labels, *known = &r->source->labels;
    const chainsi_subject subject = {
        .chain = label_of(known, told, "chain"),
        .environment = label_of(known, told, "environment"),
        .chainlet = whose == CLIENTS ? "" : label_of(told, known, "chainlet"),
        .callee = whose == EDGE ? label_of(told, known, "callee") : "",
    };
    for (chainsi_counted *each = r->first; each; each = each->next)
        if (chainsi_subject_is(&each->subject, &subject))
            return each;
    if (known->count && r->count == CHAINSI_COUNTS_MOST_SUBJECTS)
        return NULL;
    r->count++;
    chainsi_counted *made = chainsi_arena_alloc(r->arena, sizeof *made);
    made->subject = subject;
    *r->last = made;
    r->last = &made->next;
    return made;
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && !strcmp(text + size - end_size, end);
}

/* Which bucket it is, of those that are known; CHAINSI_COUNT_BUCKETS: none. */
static int find_bucket(const char *bound)
{
    if (!strcmp(bound, "+Inf"))
        return CHAINSI_HISTOGRAM_BOUNDS;
    const double ns = strtod(bound, NULL) * 1e9;
    for (int i = 0; i < CHAINSI_HISTOGRAM_BOUNDS; i++)
        if (fabs(ns - (double)chainsi_histogram_bounds[i]) < 1)
            return i;
    return CHAINSI_COUNT_BUCKETS;
}

static void add_bucket(uint64_t *buckets, const chainsi_sample *sample, uint64_t value)
{
    const char *bound = chainsi_labels_find(&sample->labels, "le");
    int bucket =
        bound && ends_with(sample->name, "_bucket") ? find_bucket(bound) : CHAINSI_COUNT_BUCKETS;
    if (bucket < CHAINSI_COUNT_BUCKETS)
        buckets[bucket] += value;
}

static bool is_label(const chainsi_sample *sample, const char *name, const char *value)
{
    const char *found = chainsi_labels_find(&sample->labels, name);
    return found && !strcmp(found, value);
}

static void read_sample(reader *r, const struct family *family, const chainsi_sample *sample)
{
    if (!(sample->value >= 0 && sample->value < 1e18))
        return;
    const uint64_t value = (uint64_t)sample->value;
    chainsi_counted *of = find(r, sample, family->owner);
    if (!of)
        return;
    uint64_t *counts = of->counts;
    switch (family->part) {
    case CALLS:
        counts[CHAINSI_COUNT_CALLS] += value;
        if (!is_label(sample, "status", "OK") && !is_label(sample, "status", "CANCELLED"))
            counts[CHAINSI_COUNT_ERRORS] += value;
        break;
    case RETRIES:
        counts[CHAINSI_COUNT_RETRIES] += value;
        break;
    case STARTS:
        if (is_label(sample, "phase", "ready") && ends_with(sample->name, "_count"))
            counts[CHAINSI_COUNT_STARTS] += value;
        break;
    case TIMES:
        add_bucket(counts + CHAINSI_COUNT_TIMES, sample, value);
        break;
    case QUEUES:
        add_bucket(counts + CHAINSI_COUNT_QUEUES, sample, value);
        break;
    }
}

/* From "so many took at most that long" to "so many are in the bucket". */
static void take_apart(uint64_t *buckets)
{
    for (int i = CHAINSI_COUNT_BUCKETS - 1; i > 0; i--)
        buckets[i] = buckets[i] > buckets[i - 1] ? buckets[i] - buckets[i - 1] : 0;
}

chainsi_counted *chainsi_counts_read(const chainsi_source *source, chainsi_arena *arena)
{
    reader r = { .source = source, .arena = arena };
    r.last = &r.first;
    for (const chainsi_family *each = source->families; each; each = each->next)
        for (size_t i = 0; i < sizeof families / sizeof *families; i++)
            if (!strcmp(each->name, families[i].name))
                for (const chainsi_sample *sample = each->samples; sample; sample = sample->next)
                    read_sample(&r, &families[i], sample);
    for (chainsi_counted *each = r.first; each; each = each->next) {
        take_apart(each->counts + CHAINSI_COUNT_TIMES);
        take_apart(each->counts + CHAINSI_COUNT_QUEUES);
    }
    return r.first;
}

double chainsi_counts_quantile(const double *buckets, double share)
{
    double total = 0, seen = 0;
    for (int i = 0; i < CHAINSI_COUNT_BUCKETS; i++)
        total += buckets[i];
    if (!(total > 0))
        return NAN;
    const double rank = share * total;
    for (int i = 0; i < CHAINSI_HISTOGRAM_BOUNDS; seen += buckets[i++]) {
        if (!(buckets[i] > 0) || seen + buckets[i] < rank)
            continue;
        const double low = i ? (double)chainsi_histogram_bounds[i - 1] : 0;
        const double high = (double)chainsi_histogram_bounds[i];
        const double inside = rank > seen ? (rank - seen) / buckets[i] : 0;
        return (low + (high - low) * inside) / 1e6;
    }
    return (double)chainsi_histogram_bounds[CHAINSI_HISTOGRAM_BOUNDS - 1] / 1e6;
}
