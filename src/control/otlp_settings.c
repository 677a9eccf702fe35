/* Where to send what, as the usual variables of OpenTelemetry say. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/otlp.h"

enum { TIMEOUT_MS = 10000, MOST_TIMEOUT_MS = 3600 * 1000, INTERVAL_MS = 60000 };

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A piece of a list without blanks round it and with its %xx decoded; "" if that makes no header line. */
static char *decode_piece(const char *data, size_t size, chainsi_arena *arena)
{
    while (size && (*data == ' ' || *data == '\t')) {
        data++;
        size--;
    }
    while (size && (data[size - 1] == ' ' || data[size - 1] == '\t'))
        size--;
    char *text = chainsi_arena_copy(arena, data, size);
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        int high = text[i] == '%' && i + 2 < size ? hex_value(text[i + 1]) : -1;
        int low = high >= 0 ? hex_value(text[i + 2]) : -1;
        text[used++] = low >= 0 ? (char)(high * 16 + low) : text[i];
        i += low >= 0 ? 2 : 0;
    }
    text[used] = 0;
    for (size_t i = 0; i < used; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return (char *)"";
    return text;
}

/* "name=value,other=value". */
static chainsi_otlp_pairs read_pairs(const char *text, chainsi_arena *arena)
{
    size_t most = 1;
    for (const char *at = text; *at; at++)
        most += *at == ',';
    chainsi_otlp_pairs pairs = { .items = chainsi_arena_array(arena, most, sizeof *pairs.items) };
    while (*text) {
        const char *stop = text + strcspn(text, ",");
        const char *equals = memchr(text, '=', (size_t)(stop - text));
        if (equals) {
            chainsi_otlp_pair pair = {
                decode_piece(text, (size_t)(equals - text), arena),
                decode_piece(equals + 1, (size_t)(stop - equals) - 1, arena),
            };
            if (*pair.name)
                pairs.items[pairs.count++] = pair;
        }
        text = *stop ? stop + 1 : stop;
    }
    return pairs;
}

typedef const char *(*look_up_function)(const char *name);

/* A variable that is empty is as one that isn't set. */
static const char *find(look_up_function look_up, const char *name)
{
    const char *value = look_up(name);
    return value && *value ? value : NULL;
}

/* What is called otherwise for traces than for metrics. */
typedef struct signal_names {
    const char *word;     /* in the names of variables */
    const char *exporter; /* the variable that says whether to send it at all */
    const char *path;
    const char *what; /* for people */
} signal_names;

static const signal_names names_of[] = {
    [CHAINSI_OTLP_TRACES] = { "TRACES", "OTEL_TRACES_EXPORTER", "v1/traces", "spans" },
    [CHAINSI_OTLP_METRICS] = { "METRICS", "OTEL_METRICS_EXPORTER", "v1/metrics", "metrics" },
};

/* What is being read. */
typedef struct reading {
    look_up_function look_up;
    const signal_names *names;
    chainsi_arena *arena;
    const char **why;
} reading;

/* Of the signal, else of all. */
static const char *find_of_signal(const reading *r, const char *name)
{
    const char *value = find(r->look_up, chainsi_arena_printf(r->arena, "OTEL_EXPORTER_OTLP_%s_%s",
                                                              r->names->word, name));
    return value ? value
                 : find(r->look_up, chainsi_arena_printf(r->arena, "OTEL_EXPORTER_OTLP_%s", name));
}

static const char *find_url(const reading *r)
{
    const char *exporter = find(r->look_up, r->names->exporter);
    const char *disabled = find(r->look_up, "OTEL_SDK_DISABLED");
    if ((exporter && strcmp(exporter, "otlp") != 0) || (disabled && !strcasecmp(disabled, "true")))
        return NULL;
    const char *url =
        find(r->look_up,
             chainsi_arena_printf(r->arena, "OTEL_EXPORTER_OTLP_%s_ENDPOINT", r->names->word));
    const char *base = find(r->look_up, "OTEL_EXPORTER_OTLP_ENDPOINT");
    if (!url && base)
        url = chainsi_arena_printf(r->arena, "%s%s%s", base,
                                   base[strlen(base) - 1] == '/' ? "" : "/", r->names->path);
    if (!url)
        return NULL;
    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0) {
        *r->why = chainsi_arena_printf(r->arena,
                                       "OTEL_EXPORTER_OTLP_ENDPOINT must begin with http:// or "
                                       "https://: no %s are exported",
                                       r->names->what);
        return NULL;
    }
    return chainsi_arena_strdup(r->arena, url);
}

/* A number of milliseconds; missing where it isn't said, or makes no sense, which is told. */
static long read_ms(const reading *r, const char *name, const char *text, long missing)
{
    char *end;
    if (!text)
        return missing;
    long ms = strtol(text, &end, 10);
    if (!*end && ms > 0 && ms <= MOST_TIMEOUT_MS)
        return ms;
    *r->why =
        chainsi_arena_printf(r->arena, "%s is no number of milliseconds: it is %ld", name, missing);
    return missing;
}

/* What metrics alone have. */
static void read_of_metrics(chainsi_otlp_settings *settings, const reading *r)
{
    const char *kind = find(r->look_up, "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE");
    settings->interval_ms = read_ms(r, "OTEL_METRIC_EXPORT_INTERVAL",
                                    find(r->look_up, "OTEL_METRIC_EXPORT_INTERVAL"), INTERVAL_MS);
    if (kind && strcasecmp(kind, "cumulative") != 0)
        *r->why =
            "of OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE only cumulative is offered, "
            "and is used";
}

void chainsi_otlp_read(chainsi_otlp_settings *settings, chainsi_otlp_signal signal,
                       look_up_function look_up, chainsi_arena *arena, const char **why)
{
    const reading r = { look_up, &names_of[signal], arena, why };
    *why = NULL;
    *settings = (chainsi_otlp_settings){ .service_name = "chainsd",
                                         .timeout_ms = TIMEOUT_MS,
                                         .interval_ms = INTERVAL_MS };
    settings->url = find_url(&r);
    if (!settings->url)
        return;
    const char *protocol = find_of_signal(&r, "PROTOCOL");
    const char *headers = find_of_signal(&r, "HEADERS");
    const char *attributes = find(look_up, "OTEL_RESOURCE_ATTRIBUTES");
    const char *name = find(look_up, "OTEL_SERVICE_NAME");
    if (protocol && strcmp(protocol, "http/json") != 0)
        *why = "of OTEL_EXPORTER_OTLP_PROTOCOL only http/json is offered, and is used";
    if (headers)
        settings->headers = read_pairs(headers, arena);
    if (attributes)
        settings->attributes = read_pairs(attributes, arena);
    if (name)
        settings->service_name = chainsi_arena_strdup(arena, name);
    settings->timeout_ms =
        read_ms(&r, "OTEL_EXPORTER_OTLP_TIMEOUT", find_of_signal(&r, "TIMEOUT"), TIMEOUT_MS);
    if (signal == CHAINSI_OTLP_METRICS)
        read_of_metrics(settings, &r);
}
