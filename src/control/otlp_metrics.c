/* Metrics as OTLP's JSON mapping has them, from what Prometheus reads: a counter is a cumulative sum that only
 * grows, of a histogram each bucket has what the one before it hasn't. A number that JSON can't say is left
 * out, and so is a histogram whose buckets don't add up. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "control/exposition.h"
#include "control/otlp_parts.h"
#include "schema/json.h"

enum { CUMULATIVE = 2 /* AggregationTemporality of the protocol */, NS_PER_MS = 1000000 };

typedef struct number_point {
    chainsi_otlp_attributes attributes;
    const char *start, *time; /* nanoseconds since 1970 */
    double value;
} number_point;

typedef struct number_points {
    number_point *items;
    size_t count;
} number_points;

typedef struct sum {
    number_points points;
    int32_t temporality;
    bool monotonic;
} sum;

typedef struct gauge {
    number_points points;
} gauge;

typedef struct numbers {
    double *items;
    size_t count;
} numbers;

typedef struct histogram_point {
    chainsi_otlp_attributes attributes;
    const char *start, *time, *count;
    double sum;
    chains_string_list counts; /* of the buckets */
    numbers bounds;
} histogram_point;

typedef struct histogram_points {
    histogram_point *items;
    size_t count;
} histogram_points;

typedef struct histogram {
    histogram_points points;
    int32_t temporality;
} histogram;

/* Of its kinds one alone may be there: each has a type of its own. */
typedef struct metric {
    const char *name, *description, *unit;
    sum sum;
    gauge gauge;
    histogram histogram;
} metric;

typedef struct metrics {
    chains_json *items;
    size_t count;
} metrics;

typedef struct scope_metrics {
    chainsi_otlp_scope scope;
    metrics metrics;
} scope_metrics;

typedef struct scopes {
    scope_metrics *items;
    size_t count;
} scopes;

typedef struct resource_metrics {
    chainsi_otlp_resource resource;
    scopes scopes;
} resource_metrics;

typedef struct resources {
    resource_metrics *items;
    size_t count;
} resources;

typedef struct request {
    resources resources;
} request;

static const chainsi_field number_point_fields[] = {
    CHAINSI_FIELD_OF(number_point, attributes, &chainsi_otlp_attributes_type),
    { CHAINSI_OTLP_NAMED(number_point, start, "startTimeUnixNano", &chainsi_type_string) },
    { CHAINSI_OTLP_NAMED(number_point, time, "timeUnixNano", &chainsi_type_string) },
    { CHAINSI_OTLP_NAMED(number_point, value, "asDouble", &chainsi_type_double) },
};
static const chainsi_type number_point_type = CHAINSI_STRUCT_OF(number_point, number_point_fields);
static const chainsi_type number_points_type = CHAINSI_LIST_OF(number_points, &number_point_type);

static const chainsi_field sum_fields[] = {
    { CHAINSI_OTLP_NAMED(sum, points, "dataPoints", &number_points_type) },
    { CHAINSI_OTLP_NAMED(sum, temporality, "aggregationTemporality", &chainsi_type_int32) },
    { CHAINSI_OTLP_NAMED(sum, monotonic, "isMonotonic", &chainsi_type_bool) },
};
static const chainsi_type sum_type = CHAINSI_STRUCT_OF(sum, sum_fields);
static const chainsi_field gauge_fields[] = {
    { CHAINSI_OTLP_NAMED(gauge, points, "dataPoints", &number_points_type) },
};
static const chainsi_type gauge_type = CHAINSI_STRUCT_OF(gauge, gauge_fields);

static const chainsi_type texts_type = CHAINSI_LIST_OF(chains_string_list, &chainsi_type_string);
static const chainsi_type numbers_type = CHAINSI_LIST_OF(numbers, &chainsi_type_double);
static const chainsi_field histogram_point_fields[] = {
    CHAINSI_FIELD_OF(histogram_point, attributes, &chainsi_otlp_attributes_type),
    { CHAINSI_OTLP_NAMED(histogram_point, start, "startTimeUnixNano", &chainsi_type_string) },
    { CHAINSI_OTLP_NAMED(histogram_point, time, "timeUnixNano", &chainsi_type_string) },
    CHAINSI_FIELD_TEXT(histogram_point, count),
    CHAINSI_FIELD_NUMBER(histogram_point, sum),
    { CHAINSI_OTLP_NAMED(histogram_point, counts, "bucketCounts", &texts_type) },
    { CHAINSI_OTLP_NAMED(histogram_point, bounds, "explicitBounds", &numbers_type) },
};
static const chainsi_type histogram_point_type =
    CHAINSI_STRUCT_OF(histogram_point, histogram_point_fields);
static const chainsi_type histogram_points_type =
    CHAINSI_LIST_OF(histogram_points, &histogram_point_type);
static const chainsi_field histogram_fields[] = {
    { CHAINSI_OTLP_NAMED(histogram, points, "dataPoints", &histogram_points_type) },
    { CHAINSI_OTLP_NAMED(histogram, temporality, "aggregationTemporality", &chainsi_type_int32) },
};
static const chainsi_type histogram_type = CHAINSI_STRUCT_OF(histogram, histogram_fields);

#define METRIC_FIELDS                                                                              \
    CHAINSI_FIELD_TEXT(metric, name), CHAINSI_FIELD_TEXT(metric, description),                     \
        CHAINSI_FIELD_TEXT(metric, unit)
static const chainsi_field sum_metric_fields[] = {
    METRIC_FIELDS,
    CHAINSI_FIELD_OF(metric, sum, &sum_type),
};
static const chainsi_type sum_metric_type = CHAINSI_STRUCT_OF(metric, sum_metric_fields);
static const chainsi_field gauge_metric_fields[] = {
    METRIC_FIELDS,
    CHAINSI_FIELD_OF(metric, gauge, &gauge_type),
};
static const chainsi_type gauge_metric_type = CHAINSI_STRUCT_OF(metric, gauge_metric_fields);
static const chainsi_field histogram_metric_fields[] = {
    METRIC_FIELDS,
    CHAINSI_FIELD_OF(metric, histogram, &histogram_type),
};
static const chainsi_type histogram_metric_type =
    CHAINSI_STRUCT_OF(metric, histogram_metric_fields);

static const chainsi_type metrics_type = CHAINSI_LIST_OF(metrics, &chainsi_type_json);
static const chainsi_field scope_metrics_fields[] = {
    CHAINSI_FIELD_OF(scope_metrics, scope, &chainsi_otlp_scope_type),
    CHAINSI_FIELD_OF(scope_metrics, metrics, &metrics_type),
};
static const chainsi_type scope_metrics_type =
    CHAINSI_STRUCT_OF(scope_metrics, scope_metrics_fields);
static const chainsi_type scopes_type = CHAINSI_LIST_OF(scopes, &scope_metrics_type);
static const chainsi_field resource_metrics_fields[] = {
    CHAINSI_FIELD_OF(resource_metrics, resource, &chainsi_otlp_resource_type),
    { CHAINSI_OTLP_NAMED(resource_metrics, scopes, "scopeMetrics", &scopes_type) },
};
static const chainsi_type resource_metrics_type =
    CHAINSI_STRUCT_OF(resource_metrics, resource_metrics_fields);
static const chainsi_type resources_type = CHAINSI_LIST_OF(resources, &resource_metrics_type);
static const chainsi_field request_fields[] = {
    { CHAINSI_OTLP_NAMED(request, resources, "resourceMetrics", &resources_type) },
};
static const chainsi_type request_type = CHAINSI_STRUCT_OF(request, request_fields);

/* What is the same for all points of a process. */
typedef struct times {
    const char *start, *now;
} times;

static chainsi_otlp_attributes make_attributes(chainsi_otlp_builder *b,
                                               const chainsi_labels *labels, const char *without)
{
    chainsi_otlp_attributes made = chainsi_otlp_begin_attributes(b, labels->count);
    for (size_t i = 0; i < labels->count; i++)
        if (!without || strcmp(labels->items[i].name, without) != 0)
            chainsi_otlp_add_text(b, &made, labels->items[i].name, labels->items[i].value);
    return made;
}

static size_t count_samples(const chainsi_family *family)
{
    size_t count = 0;
    for (const chainsi_sample *each = family->samples; each; each = each->next)
        count++;
    return count;
}

static number_points make_numbers(chainsi_otlp_builder *b, const chainsi_family *family,
                                  const times *at)
{
    number_points made = {
        .items = chainsi_arena_array(&b->arena, count_samples(family), sizeof *made.items),
    };
    for (const chainsi_sample *each = family->samples; each; each = each->next)
        if (isfinite(each->value))
            made.items[made.count++] = (number_point){ make_attributes(b, &each->labels, NULL),
                                                       at->start, at->now, each->value };
    return made;
}

/* Histograms. */

/* One histogram of a family, as its lines come. */
typedef struct group {
    const chainsi_labels *labels;
    double sum, count;
    double *bounds, *totals; /* of buckets; the last bound may be infinite */
    size_t buckets, lines;
} group;

static bool is_same_but_bound(const chainsi_labels *a, const chainsi_labels *b)
{
    size_t counted_a = 0, counted_b = 0;
    for (size_t i = 0; i < b->count; i++)
        counted_b += strcmp(b->items[i].name, "le") != 0;
    for (size_t i = 0; i < a->count; i++) {
        if (!strcmp(a->items[i].name, "le"))
            continue;
        const char *other = chainsi_labels_find(b, a->items[i].name);
        if (!other || strcmp(other, a->items[i].value) != 0)
            return false;
        counted_a++;
    }
    return counted_a == counted_b;
}

static void take_line(group *to, const chainsi_family *family, const chainsi_sample *line)
{
    const char *part = line->name + strlen(family->name);
    const char *bound = chainsi_labels_find(&line->labels, "le");
    if (!strcmp(part, "_sum")) {
        to->sum = line->value;
    } else if (!strcmp(part, "_count")) {
        to->count = line->value;
    } else if (bound) {
        to->bounds[to->buckets] = strtod(bound, NULL);
        to->totals[to->buckets++] = line->value;
    }
}

/* Whether it can be a number of things that is written as an integer: whoever gets one that can't refuses all that
 * comes with it. */
static bool is_count(double number)
{
    return number >= 0 && number < 9e18;
}

/* False: its buckets don't add up, or a number in it is no count. */
static bool make_point(chainsi_otlp_builder *b, const group *of, const times *at,
                       histogram_point *point)
{
    chainsi_arena *arena = &b->arena;
    double before = 0, bound_before = -INFINITY;
    if (!isfinite(of->sum) || !is_count(of->count))
        return false;
    *point = (histogram_point){
        .attributes = make_attributes(b, of->labels, "le"),
        .start = at->start,
        .time = at->now,
        .count = chainsi_otlp_number(b, (int64_t)of->count),
        .sum = of->sum,
        .counts.items = chainsi_arena_array(arena, of->buckets + 1, sizeof *point->counts.items),
        .bounds.items = chainsi_arena_array(arena, of->buckets + 1, sizeof *point->bounds.items),
    };
    for (size_t i = 0; i < of->buckets && isfinite(of->bounds[i]); i++) {
        if (!(of->totals[i] >= before) || !is_count(of->totals[i]) ||
            !(of->bounds[i] > bound_before))
            return false;
        point->bounds.items[point->bounds.count++] = bound_before = of->bounds[i];
        point->counts.items[point->counts.count++] =
            chainsi_otlp_number(b, (int64_t)(of->totals[i] - before));
        before = of->totals[i];
    }
    if (of->count < before)
        return false;
    point->counts.items[point->counts.count++] =
        chainsi_otlp_number(b, (int64_t)(of->count - before));
    return true;
}

/* Tells which histogram each line is of, as its number; returns how many there are. */
static size_t sort_lines(const chainsi_family *family, group *groups, size_t *whose)
{
    size_t count = 0;
    for (const chainsi_sample *each = family->samples; each; each = each->next) {
        /* Those of one come together. */
        size_t i = count;
        while (i && !is_same_but_bound(groups[i - 1].labels, &each->labels))
            i--;
        if (!i) {
            groups[count] = (group){ .labels = &each->labels };
            i = ++count;
        }
        groups[i - 1].lines++;
        *whose++ = i - 1;
    }
    return count;
}

static histogram_points make_histograms(chainsi_otlp_builder *b, const chainsi_family *family,
                                        const times *at)
{
    chainsi_arena *arena = &b->arena;
    const size_t lines = count_samples(family);
    group *groups = chainsi_arena_array(arena, lines, sizeof *groups);
    size_t *whose = chainsi_arena_array(arena, lines, sizeof *whose);
    const size_t count = sort_lines(family, groups, whose);
    for (size_t i = 0; i < count; i++) {
        groups[i].bounds = chainsi_arena_array(arena, groups[i].lines, sizeof(double));
        groups[i].totals = chainsi_arena_array(arena, groups[i].lines, sizeof(double));
    }
    for (const chainsi_sample *each = family->samples; each; each = each->next)
        take_line(&groups[*whose++], family, each);
    histogram_points made = { .items = chainsi_arena_array(arena, count, sizeof *made.items) };
    for (size_t i = 0; i < count; i++)
        made.count += make_point(b, &groups[i], at, &made.items[made.count]);
    return made;
}

/* Metrics. */

static const char *unit_of(const char *name)
{
    static const char seconds[] = "_seconds";
    size_t size = strlen(name), least = sizeof seconds - 1;
    if (size > least && !strcmp(name + size - least, seconds))
        return "s";
    return strstr(name, "_bytes") ? "By" : "1";
}

static void add_metric(chainsi_otlp_builder *b, const chainsi_family *family, const times *at,
                       metrics *to)
{
    metric made = { .name = family->name, .description = family->help };
    const chainsi_type *type = &gauge_metric_type;
    bool any;
    made.unit = unit_of(family->name);
    if (!strcmp(family->type, "histogram")) {
        type = &histogram_metric_type;
        made.histogram = (histogram){ make_histograms(b, family, at), CUMULATIVE };
        any = made.histogram.points.count > 0;
    } else if (!strcmp(family->type, "counter")) {
        type = &sum_metric_type;
        made.sum = (sum){ make_numbers(b, family, at), CUMULATIVE, true };
        any = made.sum.points.count > 0;
    } else {
        made.gauge.points = make_numbers(b, family, at);
        any = made.gauge.points.count > 0;
    }
    chainsi_buffer text = { 0 };
    chainsi_codec_error why;
    if (any && chainsi_json_encode(type, &made, &text, &why) == CHAINS_OK)
        to->items[to->count++] =
            (chains_json){ chainsi_arena_copy(&b->arena, text.data, text.size), text.size };
    chainsi_buffer_done(&text);
}

static resource_metrics make_resource(chainsi_otlp_builder *b, const chainsi_otlp_metrics *source,
                                      int64_t now_unix_ms)
{
    enum { MORE = 3 };
    const times at = {
        chainsi_otlp_number(b, source->started_unix_ms * NS_PER_MS),
        chainsi_otlp_number(b, now_unix_ms * NS_PER_MS),
    };
    size_t count = 0;
    for (const chainsi_family *each = source->families; each; each = each->next)
        count++;
    scope_metrics *only = chainsi_arena_alloc(&b->arena, sizeof *only);
    *only = (scope_metrics){
        .scope.name = "chains",
        .metrics.items = chainsi_arena_array(&b->arena, count, sizeof *only->metrics.items),
    };
    for (const chainsi_family *each = source->families; each; each = each->next)
        add_metric(b, each, &at, &only->metrics);
    chainsi_otlp_attributes own = chainsi_otlp_describe(b, source->chainlet, source->chain, MORE);
    chainsi_otlp_add_text(b, &own, "deployment.environment.name", source->environment);
    chainsi_otlp_add_text(b, &own, "service.version", source->version);
    chainsi_otlp_add_text(b, &own, "service.instance.id", source->instance);
    return (resource_metrics){ { own }, { only, 1 } };
}

void chainsi_otlp_encode_metrics(const chainsi_otlp_settings *settings,
                                 const chainsi_otlp_metrics *sources, size_t count,
                                 int64_t now_unix_ms, chainsi_buffer *out)
{
    chainsi_otlp_builder b = { .settings = settings };
    request made = { 0 };
    chainsi_arena_init(&b.arena);
    made.resources.items = chainsi_arena_array(&b.arena, count, sizeof *made.resources.items);
    for (size_t i = 0; i < count; i++)
        made.resources.items[made.resources.count++] = make_resource(&b, &sources[i], now_unix_ms);
    chainsi_codec_error why;
    chains_status encoded = chainsi_json_encode(&request_type, &made, out, &why);
    assert(encoded == CHAINS_OK);
    (void)encoded;
    chainsi_arena_done(&b.arena);
}
