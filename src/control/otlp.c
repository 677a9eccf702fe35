/* Spans as OTLP's JSON mapping has them. */
#include "control/otlp.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "control/otlp_parts.h"
#include "schema/json.h"

typedef struct status {
    int32_t code;
    const char *message; /* NULL: none */
} status;

typedef struct span {
    const char *trace_id, *span_id, *parent_span_id, *name;
    int32_t kind;
    const char *start, *end; /* nanoseconds since 1970; 64 bits travel as text */
    chainsi_otlp_attributes attributes;
    status status;
} span;

typedef struct spans {
    span *items;
    size_t count;
} spans;

typedef struct scope_spans {
    chainsi_otlp_scope scope;
    spans spans;
} scope_spans;

typedef struct scopes {
    scope_spans *items;
    size_t count;
} scopes;

typedef struct resource_spans {
    chainsi_otlp_resource resource;
    scopes scope_spans;
} resource_spans;

typedef struct resources {
    resource_spans *items;
    size_t count;
} resources;

typedef struct request {
    resources resource_spans;
} request;

static const chainsi_field status_fields[] = {
    CHAINSI_FIELD_OF(status, code, &chainsi_type_int32),
    CHAINSI_FIELD_TEXT(status, message),
};
static const chainsi_type status_type = CHAINSI_STRUCT_OF(status, status_fields);

static const chainsi_field span_fields[] = {
    { CHAINSI_OTLP_NAMED(span, trace_id, "traceId", &chainsi_type_string) },
    { CHAINSI_OTLP_NAMED(span, span_id, "spanId", &chainsi_type_string) },
    { CHAINSI_OTLP_NAMED(span, parent_span_id, "parentSpanId", &chainsi_type_string) },
    CHAINSI_FIELD_TEXT(span, name),
    CHAINSI_FIELD_OF(span, kind, &chainsi_type_int32),
    { CHAINSI_OTLP_NAMED(span, start, "startTimeUnixNano", &chainsi_type_string) },
    { CHAINSI_OTLP_NAMED(span, end, "endTimeUnixNano", &chainsi_type_string) },
    CHAINSI_FIELD_OF(span, attributes, &chainsi_otlp_attributes_type),
    CHAINSI_FIELD_OF(span, status, &status_type),
};
static const chainsi_type span_type = CHAINSI_STRUCT_OF(span, span_fields);
static const chainsi_type spans_type = CHAINSI_LIST_OF(spans, &span_type);

static const chainsi_field scope_spans_fields[] = {
    CHAINSI_FIELD_OF(scope_spans, scope, &chainsi_otlp_scope_type),
    CHAINSI_FIELD_OF(scope_spans, spans, &spans_type),
};
static const chainsi_type scope_spans_type = CHAINSI_STRUCT_OF(scope_spans, scope_spans_fields);
static const chainsi_type scopes_type = CHAINSI_LIST_OF(scopes, &scope_spans_type);

static const chainsi_field resource_spans_fields[] = {
    CHAINSI_FIELD_OF(resource_spans, resource, &chainsi_otlp_resource_type),
    { CHAINSI_OTLP_NAMED(resource_spans, scope_spans, "scopeSpans", &scopes_type) },
};
static const chainsi_type resource_spans_type =
    CHAINSI_STRUCT_OF(resource_spans, resource_spans_fields);
static const chainsi_type resources_type = CHAINSI_LIST_OF(resources, &resource_spans_type);

static const chainsi_field request_fields[] = {
    { CHAINSI_OTLP_NAMED(request, resource_spans, "resourceSpans", &resources_type) },
};
static const chainsi_type request_type = CHAINSI_STRUCT_OF(request, request_fields);

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

static const char *id_text(chainsi_otlp_builder *b, uint64_t id)
{
    return id ? chainsi_arena_printf(&b->arena, "%016" PRIx64, id) : "";
}

static span make_span(chainsi_otlp_builder *b, const chainsi_otlp_span *of)
{
    enum { OK_CODE = 1, ERROR_CODE = 2, MOST_ATTRIBUTES = 20 };
    const chainsi_span *told = &of->span;
    const bool failed = told->status != CHAINS_OK;
    const char *service = *told->callee ? told->callee : told->chainlet;
    chainsi_otlp_attributes own = chainsi_otlp_begin_attributes(b, MOST_ATTRIBUTES);
    chainsi_otlp_add_text(b, &own, "rpc.system", "chains");
    chainsi_otlp_add_text(b, &own, "rpc.service", service);
    chainsi_otlp_add_text(b, &own, "rpc.method", "run_remote");
    chainsi_otlp_add_text(b, &own, "chains.kind", chainsi_span_kind_name(told->kind));
    chainsi_otlp_add_text(b, &own, "chains.request_id", told->request_id);
    chainsi_otlp_add_text(b, &own, "chains.status",
                          chains_status_name((chains_status)told->status));
    chainsi_otlp_add_ms(b, &own, "chains.queue_ms", told->queue_ns);
    chainsi_otlp_add_ms(b, &own, "chains.decode_ms", told->decode_ns);
    chainsi_otlp_add_ms(b, &own, "chains.run_ms", told->run_ns);
    chainsi_otlp_add_ms(b, &own, "chains.encode_ms", told->encode_ns);
    chainsi_otlp_add_integer(b, &own, "chains.attempt", told->attempt);
    chainsi_otlp_add_integer(b, &own, "chains.items",
                             told->items < INT64_MAX ? (int64_t)told->items : 0);
    chainsi_otlp_add_ms(b, &own, "chains.first_item_ms", told->first_item_ns);
    chainsi_otlp_add_integer(b, &own, "process.pid", told->process);
    chainsi_otlp_add_text(b, &own, "chains.raised_by", told->raised_by);
    chainsi_otlp_add_text(b, &own, "code.file.path", told->file);
    chainsi_otlp_add_integer(b, &own, "code.line.number", told->line);
    assert(own.count <= MOST_ATTRIBUTES);
    return (span){
        .trace_id = chainsi_arena_printf(&b->arena, "%016" PRIx64 "%016" PRIx64, told->trace_high,
                                         told->trace_low),
        .span_id = id_text(b, told->id),
        .parent_span_id = id_text(b, told->parent),
        .name = chainsi_arena_printf(&b->arena, "%s/run_remote", service),
        .kind = kind_of(told),
        .start = chainsi_otlp_number(b, told->began_ns + of->unix_offset_ns),
        .end = chainsi_otlp_number(b, told->ended_ns + of->unix_offset_ns),
        .attributes = own,
        .status = { failed ? ERROR_CODE : OK_CODE, failed ? told->message : "" },
    };
}

static bool is_same_resource(const chainsi_otlp_span *a, const chainsi_otlp_span *b)
{
    return !strcmp(a->span.chainlet, b->span.chainlet) && !strcmp(a->chain, b->chain);
}

void chainsi_otlp_encode(const chainsi_otlp_settings *settings,
                         const chainsi_otlp_span *const *told, size_t count, chainsi_buffer *out)
{
    chainsi_otlp_builder b = { .settings = settings };
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
            *group = (resource_spans){ { chainsi_otlp_describe(&b, told[i]->span.chainlet,
                                                               told[i]->chain, 0) },
                                       { only, 1 } };
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
