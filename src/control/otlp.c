#include "control/otlp.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "control/fields.h"
#include "schema/json.h"

enum { TIMEOUT_MS = 10000, MOST_TIMEOUT_MS = 3600 * 1000 };

/* ------------------------------------------------------------------------------------------------
 * settings */

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

/* Of the signal, else of all. */
static const char *find_of_signal(look_up_function look_up, const char *name, chainsi_arena *arena)
{
    const char *value =
        find(look_up, chainsi_arena_printf(arena, "OTEL_EXPORTER_OTLP_TRACES_%s", name));
    return value ? value
                 : find(look_up, chainsi_arena_printf(arena, "OTEL_EXPORTER_OTLP_%s", name));
}

static const char *find_url(look_up_function look_up, chainsi_arena *arena, const char **why)
{
    const char *exporter = find(look_up, "OTEL_TRACES_EXPORTER");
    const char *disabled = find(look_up, "OTEL_SDK_DISABLED");
    if ((exporter && strcmp(exporter, "otlp") != 0) || (disabled && !strcasecmp(disabled, "true")))
        return NULL;
    const char *url = find(look_up, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    const char *base = find(look_up, "OTEL_EXPORTER_OTLP_ENDPOINT");
    if (!url && base)
        url = chainsi_arena_printf(arena, "%s%sv1/traces", base,
                                   base[strlen(base) - 1] == '/' ? "" : "/");
    if (!url)
        return NULL;
    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0) {
        *why = "OTEL_EXPORTER_OTLP_ENDPOINT must begin with http:// or https://: no spans are "
               "exported";
        return NULL;
    }
    return chainsi_arena_strdup(arena, url);
}

void chainsi_otlp_read(chainsi_otlp_settings *settings, look_up_function look_up,
                       chainsi_arena *arena, const char **why)
{
    *why = NULL;
    *settings = (chainsi_otlp_settings){ .service_name = "chainsd", .timeout_ms = TIMEOUT_MS };
    settings->url = find_url(look_up, arena, why);
    if (!settings->url)
        return;
    const char *protocol = find_of_signal(look_up, "PROTOCOL", arena);
    const char *headers = find_of_signal(look_up, "HEADERS", arena);
    const char *timeout = find_of_signal(look_up, "TIMEOUT", arena);
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
    if (timeout) {
        char *end;
        long ms = strtol(timeout, &end, 10);
        if (!*end && ms > 0 && ms <= MOST_TIMEOUT_MS)
            settings->timeout_ms = ms;
        else
            *why = "OTEL_EXPORTER_OTLP_TIMEOUT is no number of milliseconds: it is 10000";
    }
}

/* ------------------------------------------------------------------------------------------------
 * the request, as its JSON mapping has it */

typedef struct attribute {
    const char *key;
    chains_json value; /* {"stringValue": …} or another */
} attribute;

typedef struct attributes {
    attribute *items;
    size_t count;
} attributes;

typedef struct status {
    int32_t code;
    const char *message; /* NULL: none */
} status;

typedef struct span {
    const char *trace_id, *span_id, *parent_span_id, *name;
    int32_t kind;
    const char *start, *end; /* nanoseconds since 1970; 64 bits travel as text */
    attributes attributes;
    status status;
} span;

typedef struct spans {
    span *items;
    size_t count;
} spans;

typedef struct scope {
    const char *name;
} scope;

typedef struct scope_spans {
    scope scope;
    spans spans;
} scope_spans;

typedef struct scopes {
    scope_spans *items;
    size_t count;
} scopes;

typedef struct resource {
    attributes attributes;
} resource;

typedef struct resource_spans {
    resource resource;
    scopes scope_spans;
} resource_spans;

typedef struct resources {
    resource_spans *items;
    size_t count;
} resources;

typedef struct request {
    resources resource_spans;
} request;

#define NAMED(struct_, field_, name_, type_)                                                       \
    .name = name_, .name_size = sizeof name_ - 1, .offset = offsetof(struct_, field_),             \
    .type = (type_)

static const chainsi_field attribute_fields[] = {
    CHAINSI_FIELD_TEXT(attribute, key),
    CHAINSI_FIELD_OF(attribute, value, &chainsi_type_json),
};
static const chainsi_type attribute_type = CHAINSI_STRUCT_OF(attribute, attribute_fields);
static const chainsi_type attributes_type = CHAINSI_LIST_OF(attributes, &attribute_type);

static const chainsi_field status_fields[] = {
    CHAINSI_FIELD_OF(status, code, &chainsi_type_int32),
    CHAINSI_FIELD_TEXT(status, message),
};
static const chainsi_type status_type = CHAINSI_STRUCT_OF(status, status_fields);

static const chainsi_field span_fields[] = {
    { NAMED(span, trace_id, "traceId", &chainsi_type_string) },
    { NAMED(span, span_id, "spanId", &chainsi_type_string) },
    { NAMED(span, parent_span_id, "parentSpanId", &chainsi_type_string) },
    CHAINSI_FIELD_TEXT(span, name),
    CHAINSI_FIELD_OF(span, kind, &chainsi_type_int32),
    { NAMED(span, start, "startTimeUnixNano", &chainsi_type_string) },
    { NAMED(span, end, "endTimeUnixNano", &chainsi_type_string) },
    CHAINSI_FIELD_OF(span, attributes, &attributes_type),
    CHAINSI_FIELD_OF(span, status, &status_type),
};
static const chainsi_type span_type = CHAINSI_STRUCT_OF(span, span_fields);
static const chainsi_type spans_type = CHAINSI_LIST_OF(spans, &span_type);

static const chainsi_field scope_fields[] = { CHAINSI_FIELD_TEXT(scope, name) };
static const chainsi_type scope_type = CHAINSI_STRUCT_OF(scope, scope_fields);
static const chainsi_field scope_spans_fields[] = {
    CHAINSI_FIELD_OF(scope_spans, scope, &scope_type),
    CHAINSI_FIELD_OF(scope_spans, spans, &spans_type),
};
static const chainsi_type scope_spans_type = CHAINSI_STRUCT_OF(scope_spans, scope_spans_fields);
static const chainsi_type scopes_type = CHAINSI_LIST_OF(scopes, &scope_spans_type);

static const chainsi_field resource_fields[] = {
    CHAINSI_FIELD_OF(resource, attributes, &attributes_type),
};
static const chainsi_type resource_type = CHAINSI_STRUCT_OF(resource, resource_fields);
static const chainsi_field resource_spans_fields[] = {
    CHAINSI_FIELD_OF(resource_spans, resource, &resource_type),
    { NAMED(resource_spans, scope_spans, "scopeSpans", &scopes_type) },
};
static const chainsi_type resource_spans_type =
    CHAINSI_STRUCT_OF(resource_spans, resource_spans_fields);
static const chainsi_type resources_type = CHAINSI_LIST_OF(resources, &resource_spans_type);

static const chainsi_field request_fields[] = {
    { NAMED(request, resource_spans, "resourceSpans", &resources_type) },
};
static const chainsi_type request_type = CHAINSI_STRUCT_OF(request, request_fields);

/* One of an attribute's values. */
typedef struct text_value {
    const char *text;
} text_value;
typedef struct number_value {
    double number;
} number_value;
typedef struct integer_value {
    const char *integer;
} integer_value;

static const chainsi_field text_fields[] = {
    { NAMED(text_value, text, "stringValue", &chainsi_type_string) },
};
static const chainsi_type text_type = CHAINSI_STRUCT_OF(text_value, text_fields);
static const chainsi_field number_fields[] = {
    { NAMED(number_value, number, "doubleValue", &chainsi_type_double) },
};
static const chainsi_type number_type = CHAINSI_STRUCT_OF(number_value, number_fields);
static const chainsi_field integer_fields[] = {
    { NAMED(integer_value, integer, "intValue", &chainsi_type_string) },
};
static const chainsi_type integer_type = CHAINSI_STRUCT_OF(integer_value, integer_fields);

/* What a request is made of while it is built. */
typedef struct builder {
    const chainsi_otlp_settings *settings;
    chainsi_arena arena;
} builder;

static void add_value(builder *b, attributes *to, const char *key, const chainsi_type *type,
                      const void *value)
{
    chainsi_buffer text = { 0 };
    chainsi_codec_error why;
    if (chainsi_json_encode(type, value, &text, &why) == CHAINS_OK)
        to->items[to->count++] =
            (attribute){ key, { chainsi_arena_copy(&b->arena, text.data, text.size), text.size } };
    chainsi_buffer_done(&text);
}

static void add_text(builder *b, attributes *to, const char *key, const char *text)
{
    if (*text)
        add_value(b, to, key, &text_type, &(text_value){ text });
}

static void add_integer(builder *b, attributes *to, const char *key, int64_t number)
{
    if (number)
        add_value(b, to, key, &integer_type,
                  &(integer_value){ chainsi_arena_printf(&b->arena, "%lld", (long long)number) });
}

static void add_ms(builder *b, attributes *to, const char *key, int64_t ns)
{
    if (ns >= 0)
        add_value(b, to, key, &number_type,
                  &(number_value){ (double)ns / (double)CHAINSI_NS_PER_MS });
}

static attributes begin_attributes(builder *b, size_t most)
{
    return (attributes){ .items = chainsi_arena_array(&b->arena, most, sizeof(attribute)) };
}

/* SpanKind of the protocol. */
static int32_t kind_of(const chainsi_span *told)
{
    enum { INTERNAL = 1, SERVER, CLIENT };
    switch (told->kind) {
    case CHAINSI_SPAN_FRONT:
    case CHAINSI_SPAN_SERVED:
        return SERVER;
    case CHAINSI_SPAN_LOCAL:
        return INTERNAL;
    default:
        return CLIENT;
    }
}

static const char *id_text(builder *b, uint64_t id)
{
    return id ? chainsi_arena_printf(&b->arena, "%016" PRIx64, id) : "";
}

static const char *time_text(builder *b, int64_t ns)
{
    return chainsi_arena_printf(&b->arena, "%lld", (long long)(ns > 0 ? ns : 0));
}

static span make_span(builder *b, const chainsi_otlp_span *of)
{
    enum { OK_CODE = 1, ERROR_CODE = 2, MOST_ATTRIBUTES = 20 };
    const chainsi_span *told = &of->span;
    const bool failed = told->status != CHAINS_OK;
    const char *service = *told->callee ? told->callee : told->chainlet;
    attributes own = begin_attributes(b, MOST_ATTRIBUTES);
    add_text(b, &own, "rpc.system", "chains");
    add_text(b, &own, "rpc.service", service);
    add_text(b, &own, "rpc.method", "run_remote");
    add_text(b, &own, "chains.kind", chainsi_span_kind_name(told->kind));
    add_text(b, &own, "chains.request_id", told->request_id);
    add_text(b, &own, "chains.status", chains_status_name((chains_status)told->status));
    add_ms(b, &own, "chains.queue_ms", told->queue_ns);
    add_ms(b, &own, "chains.decode_ms", told->decode_ns);
    add_ms(b, &own, "chains.run_ms", told->run_ns);
    add_ms(b, &own, "chains.encode_ms", told->encode_ns);
    add_integer(b, &own, "chains.attempt", told->attempt);
    add_integer(b, &own, "chains.items", told->items < INT64_MAX ? (int64_t)told->items : 0);
    add_ms(b, &own, "chains.first_item_ms", told->first_item_ns);
    add_integer(b, &own, "process.pid", told->process);
    add_text(b, &own, "chains.raised_by", told->raised_by);
    add_text(b, &own, "code.file.path", told->file);
    add_integer(b, &own, "code.line.number", told->line);
    assert(own.count <= MOST_ATTRIBUTES);
    return (span){
        .trace_id = chainsi_arena_printf(&b->arena, "%016" PRIx64 "%016" PRIx64, told->trace_high,
                                         told->trace_low),
        .span_id = id_text(b, told->id),
        .parent_span_id = id_text(b, told->parent),
        .name = chainsi_arena_printf(&b->arena, "%s/run_remote", service),
        .kind = kind_of(told),
        .start = time_text(b, told->began_ns + of->unix_offset_ns),
        .end = time_text(b, told->ended_ns + of->unix_offset_ns),
        .attributes = own,
        .status = { failed ? ERROR_CODE : OK_CODE, failed ? told->message : "" },
    };
}

static bool is_same_resource(const chainsi_otlp_span *a, const chainsi_otlp_span *b)
{
    return !strcmp(a->span.chainlet, b->span.chainlet) && !strcmp(a->chain, b->chain);
}

static attributes make_resource(builder *b, const chainsi_otlp_span *of)
{
    const chainsi_otlp_pairs *given = &b->settings->attributes;
    attributes own = begin_attributes(b, given->count + 2);
    add_text(b, &own, "service.name",
             *of->span.chainlet ? of->span.chainlet : b->settings->service_name);
    add_text(b, &own, "service.namespace", of->chain);
    for (size_t i = 0; i < given->count; i++)
        if (strcmp(given->items[i].name, "service.name") != 0 &&
            strcmp(given->items[i].name, "service.namespace") != 0)
            add_text(b, &own, given->items[i].name, given->items[i].value);
    return own;
}

void chainsi_otlp_encode(const chainsi_otlp_settings *settings,
                         const chainsi_otlp_span *const *told, size_t count, chainsi_buffer *out)
{
    builder b = { .settings = settings };
    request made = { 0 };
    chainsi_arena_init(&b.arena);
    made.resource_spans.items =
        chainsi_arena_array(&b.arena, count, sizeof *made.resource_spans.items);
    const chainsi_otlp_span **firsts = chainsi_arena_array(&b.arena, count, sizeof *firsts);
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < made.resource_spans.count && !is_same_resource(firsts[at], told[i]))
            at++;
        resource_spans *group = &made.resource_spans.items[at];
        if (at == made.resource_spans.count) {
            scope_spans *only = chainsi_arena_alloc(&b.arena, sizeof *only);
            only->scope.name = "chains";
            only->spans.items = chainsi_arena_array(&b.arena, count - i, sizeof *only->spans.items);
            *group = (resource_spans){ { make_resource(&b, told[i]) }, { only, 1 } };
            firsts[at] = told[i];
            made.resource_spans.count++;
        }
        spans *to = &group->scope_spans.items[0].spans;
        to->items[to->count++] = make_span(&b, told[i]);
    }
    chainsi_codec_error why;
    chains_status encoded = chainsi_json_encode(&request_type, &made, out, &why);
    assert(encoded == CHAINS_OK);
    (void)encoded;
    chainsi_arena_done(&b.arena);
}
