/* JSON Schema of type tables. A schema that is put together stands open ("{...") until its last
 * member is there. */
#include "schema/json_schema.h"

#include <math.h>
#include <stdlib.h>

#include "schema/access.h"
#include "schema/components.h"
#include "schema/json.h"
#include "schema/number.h"

/* --------------------------------------------------------------------------------------------
 * which types are components, and under which names */

static bool is_component(const chainsi_type *type)
{
    return type->name && (type->kind == CHAINSI_STRUCT || type->kind == CHAINSI_ENUM);
}

/* True if two tables of one name say the same, as those of one header compiled twice do. */
static bool is_same(const chainsi_type *a, const chainsi_type *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind || a->size != b->size || a->field_count != b->field_count ||
        a->value_count != b->value_count)
        return false;
    for (uint32_t i = 0; i < a->field_count; i++) {
        const chainsi_field *x = &a->fields[i], *y = &b->fields[i];
        if (strcmp(x->name, y->name) != 0 || x->type->kind != y->type->kind ||
            x->offset != y->offset || x->optional != y->optional)
            return false;
    }
    for (uint32_t i = 0; i < a->value_count; i++)
        if (strcmp(a->values[i].name, b->values[i].name) != 0)
            return false;
    return true;
}

static const chainsi_component *find_component(const chainsi_components *components,
                                               const chainsi_type *type)
{
    for (size_t i = 0; i < components->count; i++)
        if (components->items[i].type == type)
            return &components->items[i];
    return NULL;
}

void chainsi_components_add(chainsi_components *components, const chainsi_type *type)
{
    while (type && (type->kind == CHAINSI_LIST || type->kind == CHAINSI_MAP ||
                    type->kind == CHAINSI_POINTER))
        type = type->item;
    if (!type || (type->kind != CHAINSI_STRUCT && type->kind != CHAINSI_ENUM))
        return;
    if (is_component(type)) {
        if (find_component(components, type))
            return;
        chainsi_component added = { .type = type, .number = 1 };
        for (size_t i = 0; i < components->count; i++) {
            const chainsi_component *other = &components->items[i];
            if (strcmp(other->type->name, type->name) != 0)
                continue;
            if (is_same(other->type, type)) {
                added.number = other->number;
                added.repeated = true;
                break;
            }
            added.number = other->number + 1;
        }
        if (components->count == components->capacity) {
            components->capacity = components->capacity ? components->capacity * 2 : 16;
            components->items =
                realloc(components->items, components->capacity * sizeof *components->items);
            if (!components->items)
                abort();
        }
        components->items[components->count++] = added;
    }
    for (uint32_t i = 0; i < type->field_count; i++)
        chainsi_components_add(components, type->fields[i].type);
}

void chainsi_components_done(chainsi_components *components)
{
    free(components->items);
    *components = (chainsi_components){ 0 };
}

static void write_component_name(const chainsi_components *components, const chainsi_type *type,
                                 chainsi_buffer *out)
{
    const chainsi_component *component = find_component(components, type);
    chainsi_buffer_add_text(out, type->name);
    if (component && component->number > 1)
        chainsi_buffer_printf(out, "_%d", component->number);
}

/* --------------------------------------------------------------------------------------------
 * pieces */

static void add_text(chainsi_buffer *out, const char *text)
{
    chainsi_json_write_string(out, text, strlen(text));
}

static void add_member(chainsi_buffer *out, const char *key)
{
    uint8_t last = out->data[out->size - 1];
    if (last != '{')
        chainsi_buffer_add_byte(out, ',');
    add_text(out, key);
    chainsi_buffer_add_byte(out, ':');
}

static void add_text_member(chainsi_buffer *out, const char *key, const char *text)
{
    if (!text)
        return;
    add_member(out, key);
    add_text(out, text);
}

static void add_number(chainsi_buffer *out, chainsi_kind kind, chainsi_number number)
{
    if (chainsi_is_signed(kind))
        chainsi_buffer_printf(out, "%lld", (long long)number.i);
    else if (chainsi_is_unsigned(kind))
        chainsi_buffer_printf(out, "%llu", (unsigned long long)number.u);
    else if (number.f == floor(number.f) && fabs(number.f) < 1e15)
        chainsi_buffer_printf(out, "%.0f", number.f);
    else
        chainsi_json_write_double(out, number.f);
}

/* The range of an integer kind; false for other kinds. */
static bool find_range(chainsi_kind kind, chainsi_number *min, chainsi_number *max)
{
    static const int bits[] = {
        [CHAINSI_INT8] = 8,  [CHAINSI_INT16] = 16,  [CHAINSI_INT32] = 32,  [CHAINSI_INT64] = 64,
        [CHAINSI_UINT8] = 8, [CHAINSI_UINT16] = 16, [CHAINSI_UINT32] = 32, [CHAINSI_UINT64] = 64
    };
    if (chainsi_is_signed(kind)) {
        min->i = INT64_MIN >> (64 - bits[kind]);
        max->i = INT64_MAX >> (64 - bits[kind]);
        return true;
    }
    if (chainsi_is_unsigned(kind)) {
        min->u = 0;
        max->u = UINT64_MAX >> (64 - bits[kind]);
        return true;
    }
    return false;
}

static void add_number_limits(chainsi_buffer *out, chainsi_kind kind, const chainsi_limits *limits,
                              bool nullable)
{
    chainsi_number min, max;
    bool ranged = find_range(kind, &min, &max);
    if (limits && limits->has_range) {
        min = limits->min;
        max = limits->max;
        ranged = true;
    }
    const bool whole = chainsi_is_signed(kind) || chainsi_is_unsigned(kind);
    if (ranged && (whole || isfinite(min.f))) {
        add_member(out, "minimum");
        add_number(out, kind, min);
    }
    if (ranged && (whole || isfinite(max.f))) {
        add_member(out, "maximum");
        add_number(out, kind, max);
    }
    if (!limits || !limits->one_of_count)
        return;
    add_member(out, "enum");
    for (size_t i = 0; i < limits->one_of_count; i++) {
        chainsi_buffer_add_byte(out, i ? ',' : '[');
        add_number(out, kind, limits->one_of_number[i]);
    }
    chainsi_buffer_add_text(out, nullable ? ",null]" : "]");
}

static void add_length(chainsi_buffer *out, const chainsi_limits *limits, const char *least,
                       const char *most)
{
    if (!limits || !limits->has_length)
        return;
    if (limits->min_length) {
        add_member(out, least);
        chainsi_buffer_printf(out, "%llu", (unsigned long long)limits->min_length);
    }
    if (limits->max_length != UINT64_MAX) {
        add_member(out, most);
        chainsi_buffer_printf(out, "%llu", (unsigned long long)limits->max_length);
    }
}

/* Lengths of bytes are lengths of base64 in a schema of JSON. */
static void add_bytes_length(chainsi_buffer *out, const chainsi_limits *limits)
{
    if (!limits || !limits->has_length)
        return;
    chainsi_limits encoded = *limits;
    encoded.min_length = (limits->min_length + 2) / 3 * 4;
    if (limits->max_length < UINT64_MAX / 2)
        encoded.max_length = (limits->max_length + 2) / 3 * 4;
    add_length(out, &encoded, "minLength", "maxLength");
}

/* --------------------------------------------------------------------------------------------
 * schemas */

static void add_tensor(chainsi_buffer *out)
{
    chainsi_buffer_add_text(
        out,
        ",\"properties\":{"
        "\"data_b64\":{\"type\":\"string\",\"contentEncoding\":\"base64\","
        "\"description\":\"The elements in C order, little-endian.\"},"
        "\"shape\":{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":0}},"
        "\"dtype\":{\"type\":\"string\",\"enum\":[\"float32\",\"float64\",\"float16\",\"int8\","
        "\"int16\",\"int32\",\"int64\",\"uint8\",\"uint16\",\"uint32\",\"uint64\",\"bool\"]}},"
        "\"required\":[\"data_b64\",\"shape\",\"dtype\"]");
}

/* The members of a type's schema, into an open object. nullable: null is allowed beside it. */
static void add_body(const chainsi_components *components, const chainsi_type *type,
                     const chainsi_limits *limits, bool nullable, chainsi_buffer *out);

void chainsi_schema_write_field(const chainsi_components *components, const chainsi_field *field,
                                chainsi_buffer *out)
{
    const chainsi_type *type = field->type;
    while (type->kind == CHAINSI_POINTER)
        type = type->item;
    chainsi_buffer_add_byte(out, '{');
    if (is_component(type)) {
        if (field->optional)
            chainsi_buffer_add_text(out, "\"anyOf\":[{");
        chainsi_buffer_add_text(out, "\"$ref\":\"#/components/schemas/");
        write_component_name(components, type, out);
        chainsi_buffer_add_byte(out, '"');
        if (field->optional)
            chainsi_buffer_add_text(out, "},{\"type\":\"null\"}]");
    } else {
        add_body(components, type, field->limits, field->optional, out);
    }
    add_text_member(out, "description", field->doc);
    if (field->default_value) {
        size_t before = out->size;
        add_member(out, "default");
        if (field->optional && !*(const chainsi_pointer *)field->default_value)
            chainsi_buffer_add_text(out, "null");
        else if (chainsi_json_encode(field->type, field->default_value, out, NULL) != CHAINS_OK)
            out->size = before; /* NaN and the like: JSON has no word for it */
    }
    chainsi_buffer_add_byte(out, '}');
}

static void add_struct(const chainsi_components *components, const chainsi_type *type,
                       chainsi_buffer *out)
{
    chainsi_buffer_add_text(out, "\"properties\":{");
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (i)
            chainsi_buffer_add_byte(out, ',');
        add_text(out, type->fields[i].name);
        chainsi_buffer_add_byte(out, ':');
        chainsi_schema_write_field(components, &type->fields[i], out);
    }
    chainsi_buffer_add_byte(out, '}');
    bool any = false;
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (type->fields[i].optional || type->fields[i].default_value)
            continue;
        if (!any)
            add_member(out, "required");
        chainsi_buffer_add_byte(out, any ? ',' : '[');
        add_text(out, type->fields[i].name);
        any = true;
    }
    if (any)
        chainsi_buffer_add_byte(out, ']');
}

static void add_enum(const chainsi_type *type, bool nullable, chainsi_buffer *out)
{
    add_member(out, "enum");
    chainsi_buffer_add_byte(out, '[');
    bool documented = false;
    for (uint32_t i = 0; i < type->value_count; i++) {
        if (i)
            chainsi_buffer_add_byte(out, ',');
        add_text(out, type->values[i].name);
        documented |= type->values[i].doc != NULL;
    }
    chainsi_buffer_add_text(out, nullable ? ",null]" : "]");
    if (!documented && !type->doc)
        return;
    chainsi_buffer text = { 0 };
    if (type->doc)
        chainsi_buffer_add_text(&text, type->doc);
    for (uint32_t i = 0; i < type->value_count && documented; i++)
        if (type->values[i].doc)
            chainsi_buffer_printf(&text, "%s%s: %s", text.size ? "\n" : "", type->values[i].name,
                                  type->values[i].doc);
    add_member(out, "description");
    chainsi_json_write_string(out, (const char *)text.data, text.size);
    chainsi_buffer_done(&text);
}

static void add_type(chainsi_buffer *out, const char *name, bool nullable)
{
    add_member(out, "type");
    if (nullable)
        chainsi_buffer_printf(out, "[\"%s\",\"null\"]", name);
    else
        add_text(out, name);
}

static void add_body(const chainsi_components *components, const chainsi_type *type,
                     const chainsi_limits *limits, bool nullable, chainsi_buffer *out)
{
    switch (type->kind) {
    case CHAINSI_BOOL:
        add_type(out, "boolean", nullable);
        break;
    case CHAINSI_INT8:
    case CHAINSI_INT16:
    case CHAINSI_INT32:
    case CHAINSI_INT64:
    case CHAINSI_UINT8:
    case CHAINSI_UINT16:
    case CHAINSI_UINT32:
    case CHAINSI_UINT64:
        add_type(out, "integer", nullable);
        add_number_limits(out, type->kind, limits, nullable);
        break;
    case CHAINSI_FLOAT:
    case CHAINSI_DOUBLE:
        add_type(out, "number", nullable);
        add_number_limits(out, type->kind, limits, nullable);
        break;
    case CHAINSI_STRING:
        add_type(out, "string", nullable);
        add_length(out, limits, "minLength", "maxLength");
        if (limits && limits->one_of_count) {
            add_member(out, "enum");
            for (size_t i = 0; i < limits->one_of_count; i++) {
                chainsi_buffer_add_byte(out, i ? ',' : '[');
                add_text(out, limits->one_of_text[i]);
            }
            if (nullable)
                chainsi_buffer_add_text(out, ",null");
            chainsi_buffer_add_byte(out, ']');
        }
        break;
    case CHAINSI_BYTES:
        add_type(out, "string", nullable);
        add_text_member(out, "contentEncoding", "base64");
        add_bytes_length(out, limits);
        break;
    case CHAINSI_JSON: /* any value: no members */
        break;
    case CHAINSI_TENSOR:
        add_type(out, "object", nullable);
        add_tensor(out);
        break;
    case CHAINSI_ENUM:
        add_type(out, "string", nullable);
        add_enum(type, nullable, out);
        break;
    case CHAINSI_STRUCT:
        add_type(out, "object", nullable);
        chainsi_buffer_add_byte(out, ',');
        add_struct(components, type, out);
        break;
    case CHAINSI_LIST:
        add_type(out, "array", nullable);
        add_member(out, "items");
        chainsi_schema_write(components, type->item, out);
        add_length(out, limits, "minItems", "maxItems");
        break;
    case CHAINSI_MAP:
        add_type(out, "object", nullable);
        add_member(out, "additionalProperties");
        chainsi_schema_write(components, type->item, out);
        add_length(out, limits, "minProperties", "maxProperties");
        break;
    case CHAINSI_POINTER:
        add_body(components, type->item, limits, nullable, out);
        break;
    }
}

void chainsi_schema_write(const chainsi_components *components, const chainsi_type *type,
                          chainsi_buffer *out)
{
    while (type->kind == CHAINSI_POINTER)
        type = type->item;
    chainsi_buffer_add_byte(out, '{');
    if (is_component(type)) {
        chainsi_buffer_add_text(out, "\"$ref\":\"#/components/schemas/");
        write_component_name(components, type, out);
        chainsi_buffer_add_byte(out, '"');
    } else {
        add_body(components, type, NULL, false, out);
        if (type->doc && type->kind != CHAINSI_ENUM)
            add_text_member(out, "description", type->doc);
    }
    chainsi_buffer_add_byte(out, '}');
}

void chainsi_components_write(const chainsi_components *components, chainsi_buffer *out)
{
    bool any = false;
    chainsi_buffer_add_byte(out, '{');
    for (size_t i = 0; i < components->count; i++) {
        const chainsi_type *type = components->items[i].type;
        if (components->items[i].repeated)
            continue;
        if (any)
            chainsi_buffer_add_byte(out, ',');
        any = true;
        chainsi_buffer_add_byte(out, '"');
        write_component_name(components, type, out);
        chainsi_buffer_add_text(out, "\":{");
        add_body(components, type, NULL, false, out);
        if (type->doc && type->kind != CHAINSI_ENUM)
            add_text_member(out, "description", type->doc);
        chainsi_buffer_add_byte(out, '}');
    }
    chainsi_buffer_add_byte(out, '}');
}

void chainsi_json_schema(const chainsi_type *type, chainsi_buffer *out)
{
    chainsi_components components = { 0 };
    chainsi_components_add(&components, type);
    chainsi_schema_write(&components, type, out);
    chainsi_components_done(&components);
}

void chainsi_json_schema_components(const chainsi_type *const *types, size_t count,
                                    chainsi_buffer *out)
{
    chainsi_components components = { 0 };
    for (size_t i = 0; i < count; i++)
        chainsi_components_add(&components, types[i]);
    chainsi_components_write(&components, out);
    chainsi_components_done(&components);
}
