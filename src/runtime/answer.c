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

/* The type and the place of what an answer says of the outputs; NULL: it is null. */
static const chainsi_type *find_content(const chainsi_interface *interface, const void **value)
{
    const chainsi_type *type = interface->output;
    if (type->field_count == 0)
        return NULL;
    if (type->field_count > 1)
        return type;
    const chainsi_field *field = type->fields;
    *value = (const char *)*value + field->offset;
    return is_absent(field, *value) ? NULL : field->type;
}

chains_status chainsi_answer_encode(const chainsi_interface *interface, const void *outputs,
                                    bool msgpack, chainsi_buffer *out, chainsi_codec_error *error)
{
    const void *value = outputs;
    const chainsi_type *type = find_content(interface, &value);
    if (!type) {
        add_null(msgpack, out);
        return CHAINS_OK;
    }
    return msgpack ? chainsi_msgpack_encode(type, value, out, error)
                   : chainsi_json_encode(type, value, out, error);
}

chains_status chainsi_answer_encode_shared(const chainsi_interface *interface, const void *outputs,
                                           chainsi_buffer *out, chainsi_attachments *attachments,
                                           chainsi_codec_error *error)
{
    const void *value = outputs;
    const chainsi_type *type = find_content(interface, &value);
    if (type)
        return chainsi_msgpack_encode_shared(type, value, out, attachments, error);
    add_null(true, out);
    return CHAINS_OK;
}

/* The type and the place of what the body says; NULL: nothing of it is wanted. */
static const chainsi_type *find_place(const chainsi_interface *interface, const char *body,
                                      size_t size, bool msgpack, void **value)
{
    const chainsi_type *type = interface->output;
    if (type->field_count == 0)
        return NULL; /* whatever an older callee may say: nobody asked */
    if (type->field_count > 1)
        return type;
    const chainsi_field *field = type->fields;
    if (field->optional && is_null(body, size, msgpack))
        return NULL;
    *value = (char *)*value + field->offset;
    return field->type;
}

chains_status chainsi_answer_decode(const chainsi_interface *interface, char *body, size_t size,
                                    bool msgpack, chainsi_arena *arena, void *outputs,
                                    chainsi_codec_error *error)
{
    void *value = outputs;
    const chainsi_type *type = find_place(interface, body, size, msgpack, &value);
    if (!type)
        return CHAINS_OK;
    return msgpack ? chainsi_msgpack_decode_in_place(type, body, size, arena, value, error)
                   : chainsi_json_decode_in_place(type, body, size, arena, value, error);
}

chains_status chainsi_answer_decode_shared(const chainsi_interface *interface, char *body,
                                           size_t size, chainsi_attachments *attachments,
                                           chainsi_arena *arena, void *outputs,
                                           chainsi_codec_error *error)
{
    void *value = outputs;
    const chainsi_type *type = find_place(interface, body, size, true, &value);
    if (!type)
        return CHAINS_OK;
    return chainsi_msgpack_decode_shared(type, body, size, attachments, arena, value, error);
}
