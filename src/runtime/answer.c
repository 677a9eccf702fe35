#include "runtime/answer.h"

#include <string.h>

#include "schema/json.h"
#include "schema/msgpack.h"

/* True if the value of an optional output is absent: a NULL pointer comes first in each kind that
 * may be optional. */
static bool is_absent(const chainsi_field *field, const void *value)
{
    const void *pointer;
    if (!field->optional)
        return false;
    memcpy(&pointer, value, sizeof pointer);
    return !pointer;
}

static void add_null(bool msgpack, chainsi_buffer *out)
{
    if (msgpack)
        chainsi_buffer_add_byte(out, 0xc0);
    else
        chainsi_buffer_add_text(out, "null");
}

static bool is_null(const char *body, size_t size, bool msgpack)
{
    if (msgpack)
        return size == 1 && (uint8_t)body[0] == 0xc0;
    while (size && strchr(" \t\r\n", body[size - 1]))
        size--;
    while (size && strchr(" \t\r\n", *body))
        body++, size--;
    return size == 4 && !memcmp(body, "null", 4);
}

chains_status chainsi_answer_encode(const chainsi_interface *interface, const void *outputs,
                                    bool msgpack, chainsi_buffer *out, chainsi_codec_error *error)
{
    const chainsi_type *type = interface->output;
    const void *value = outputs;
    if (type->field_count == 1) {
        const chainsi_field *field = type->fields;
        value = (const char *)outputs + field->offset;
        type = is_absent(field, value) ? NULL : field->type;
    } else if (type->field_count == 0) {
        type = NULL;
    }
    if (!type) {
        add_null(msgpack, out);
        return CHAINS_OK;
    }
    return msgpack ? chainsi_msgpack_encode(type, value, out, error)
                   : chainsi_json_encode(type, value, out, error);
}

chains_status chainsi_answer_decode(const chainsi_interface *interface, char *body, size_t size,
                                    bool msgpack, chainsi_arena *arena, void *outputs,
                                    chainsi_codec_error *error)
{
    const chainsi_type *type = interface->output;
    void *value = outputs;
    if (type->field_count == 0)
        return CHAINS_OK; /* whatever an older callee may say: nobody asked */
    if (type->field_count == 1) {
        const chainsi_field *field = type->fields;
        if (field->optional && is_null(body, size, msgpack))
            return CHAINS_OK;
        value = (char *)outputs + field->offset;
        type = field->type;
    }
    return msgpack ? chainsi_msgpack_decode_in_place(type, body, size, arena, value, error)
                   : chainsi_json_decode_in_place(type, body, size, arena, value, error);
}
