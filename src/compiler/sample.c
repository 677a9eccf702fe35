#include "compiler/sample.h"

#include <inttypes.h>
#include <string.h>

#include "schema/json.h"

enum { DEEPEST = 8 }; /* a recursive type ends somewhere */

static void add_value(const chainsi_model_type *type, const chainsi_limits *limits,
                      const char *name, int depth, chainsi_buffer *out);

static void add_fields(const chainsi_model_field *fields, size_t count, int depth,
                       chainsi_buffer *out)
{
    bool first = true;
    chainsi_buffer_add_byte(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (fields[i].optional || fields[i].default_text.text)
            continue;
        chainsi_buffer_add_text(out, first ? "" : ", ");
        first = false;
        chainsi_json_write_text(out, fields[i].wire_name);
        chainsi_buffer_add_text(out, ": ");
        add_value(fields[i].type, &fields[i].limits, fields[i].wire_name, depth, out);
    }
    chainsi_buffer_add_byte(out, '}');
}

static void add_number(chainsi_kind kind, const chainsi_limits *limits, chainsi_buffer *out)
{
    chainsi_number number = { .u = 0 };
    if (limits->one_of_count)
        number = limits->one_of_number[0];
    else if (limits->has_range)
        number = limits->min;
    if (kind == CHAINSI_FLOAT || kind == CHAINSI_DOUBLE)
        chainsi_json_write_double(out, number.f);
    else if (kind >= CHAINSI_UINT8 && kind <= CHAINSI_UINT64)
        chainsi_buffer_printf(out, "%" PRIu64, number.u);
    else
        chainsi_buffer_printf(out, "%" PRId64, number.i);
}

static void add_value(const chainsi_model_type *type, const chainsi_limits *limits,
                      const char *name, int depth, chainsi_buffer *out)
{
    static const chainsi_limits none;
    bool deeper = depth < DEEPEST;
    switch (type->kind) {
    case CHAINSI_BOOL:
        chainsi_buffer_add_text(out, "false");
        break;
    case CHAINSI_STRING:
        chainsi_json_write_text(out, limits->one_of_count ? limits->one_of_text[0] : name);
        break;
    case CHAINSI_BYTES:
        chainsi_buffer_add_text(out, "\"\"");
        break;
    case CHAINSI_JSON:
        chainsi_buffer_add_text(out, "null");
        break;
    case CHAINSI_TENSOR:
        chainsi_buffer_add_text(out,
                                "{\"data_b64\": \"\", \"shape\": [0], \"dtype\": \"float32\"}");
        break;
    case CHAINSI_ENUM:
        chainsi_json_write_text(out, type->value_count ? type->values[0].wire_name : name);
        break;
    case CHAINSI_STRUCT:
        add_fields(type->fields, deeper ? type->field_count : 0, depth + 1, out);
        break;
    case CHAINSI_LIST:
        chainsi_buffer_add_byte(out, '[');
        if (deeper)
            add_value(type->item, &none, name, depth + 1, out);
        chainsi_buffer_add_byte(out, ']');
        break;
    case CHAINSI_MAP:
        chainsi_buffer_add_text(out, "{\"key\": ");
        add_value(type->item, &none, name, depth + 1, out);
        chainsi_buffer_add_byte(out, '}');
        break;
    case CHAINSI_POINTER:
        add_value(type->item, &none, name, depth + 1, out);
        break;
    default: /* every other kind is a number */
        add_number(type->kind, limits, out);
    }
}

void chainsi_sample_arguments(const chainsi_model_chainlet *chainlet, chainsi_buffer *out)
{
    add_fields(chainlet->inputs, chainlet->input_count, 0, out);
}
