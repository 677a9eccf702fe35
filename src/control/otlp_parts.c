#include "control/otlp_parts.h"

#include <string.h>

#include "base/clock.h"
#include "schema/json.h"

static const chainsi_field attribute_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_otlp_attribute, key),
    CHAINSI_FIELD_OF(chainsi_otlp_attribute, value, &chainsi_type_json),
};
static const chainsi_type attribute_type =
    CHAINSI_STRUCT_OF(chainsi_otlp_attribute, attribute_fields);
const chainsi_type chainsi_otlp_attributes_type =
    CHAINSI_LIST_OF(chainsi_otlp_attributes, &attribute_type);

static const chainsi_field scope_fields[] = { CHAINSI_FIELD_TEXT(chainsi_otlp_scope, name) };
const chainsi_type chainsi_otlp_scope_type = CHAINSI_STRUCT_OF(chainsi_otlp_scope, scope_fields);

static const chainsi_field resource_fields[] = {
    CHAINSI_FIELD_OF(chainsi_otlp_resource, attributes, &chainsi_otlp_attributes_type),
};
const chainsi_type chainsi_otlp_resource_type =
    CHAINSI_STRUCT_OF(chainsi_otlp_resource, resource_fields);

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
    { CHAINSI_OTLP_NAMED(text_value, text, "stringValue", &chainsi_type_string) },
};
static const chainsi_type text_type = CHAINSI_STRUCT_OF(text_value, text_fields);
static const chainsi_field number_fields[] = {
    { CHAINSI_OTLP_NAMED(number_value, number, "doubleValue", &chainsi_type_double) },
};
static const chainsi_type number_type = CHAINSI_STRUCT_OF(number_value, number_fields);
static const chainsi_field integer_fields[] = {
    { CHAINSI_OTLP_NAMED(integer_value, integer, "intValue", &chainsi_type_string) },
};
static const chainsi_type integer_type = CHAINSI_STRUCT_OF(integer_value, integer_fields);

static void add_value(chainsi_otlp_builder *b, chainsi_otlp_attributes *to, const char *key,
                      const chainsi_type *type, const void *value)
{
    chainsi_buffer text = { 0 };
    chainsi_codec_error why;
    if (chainsi_json_encode(type, value, &text, &why) == CHAINS_OK)
        to->items[to->count++] = (chainsi_otlp_attribute){
            key, { chainsi_arena_copy(&b->arena, text.data, text.size), text.size }
        };
    chainsi_buffer_done(&text);
}

void chainsi_otlp_add_text(chainsi_otlp_builder *b, chainsi_otlp_attributes *to, const char *key,
                           const char *text)
{
    if (*text)
        add_value(b, to, key, &text_type, &(text_value){ text });
}

void chainsi_otlp_add_integer(chainsi_otlp_builder *b, chainsi_otlp_attributes *to, const char *key,
                              int64_t number)
{
    if (number)
        add_value(b, to, key, &integer_type,
                  &(integer_value){ chainsi_arena_printf(&b->arena, "%lld", (long long)number) });
}

void chainsi_otlp_add_ms(chainsi_otlp_builder *b, chainsi_otlp_attributes *to, const char *key,
                         int64_t ns)
{
    if (ns >= 0)
        add_value(b, to, key, &number_type,
                  &(number_value){ (double)ns / (double)CHAINSI_NS_PER_MS });
}

chainsi_otlp_attributes chainsi_otlp_begin_attributes(chainsi_otlp_builder *b, size_t most)
{
    return (chainsi_otlp_attributes){ .items = chainsi_arena_array(
                                          &b->arena, most, sizeof(chainsi_otlp_attribute)) };
}

chainsi_otlp_attributes chainsi_otlp_describe(chainsi_otlp_builder *b, const char *chainlet,
                                              const char *chain, size_t more)
{
    const chainsi_otlp_pairs *given = &b->settings->attributes;
    chainsi_otlp_attributes own = chainsi_otlp_begin_attributes(b, given->count + 2 + more);
    chainsi_otlp_add_text(b, &own, "service.name",
                          *chainlet ? chainlet : b->settings->service_name);
    chainsi_otlp_add_text(b, &own, "service.namespace", chain);
    for (size_t i = 0; i < given->count; i++)
        if (strcmp(given->items[i].name, "service.name") != 0 &&
            strcmp(given->items[i].name, "service.namespace") != 0)
            chainsi_otlp_add_text(b, &own, given->items[i].name, given->items[i].value);
    return own;
}

const char *chainsi_otlp_number(chainsi_otlp_builder *b, int64_t number)
{
    return chainsi_arena_printf(&b->arena, "%lld", (long long)(number > 0 ? number : 0));
}
