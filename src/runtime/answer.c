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

static void gather_json(const chainsi_interface *interface, const chainsi_buffer *items,
                        const chainsi_buffer *outputs, chainsi_buffer *out)
{
    chainsi_buffer_add_byte(out, '{');
    chainsi_json_write_text(out, interface->stream_name);
    chainsi_buffer_add_text(out, ":[");
    chainsi_buffer_add(out, items->data, items->size);
    chainsi_buffer_add_text(out, outputs->size > 2 ? "]," : "]");
    chainsi_buffer_add(out, outputs->data + 1, outputs->size - 1);
}

static void gather_msgpack(const chainsi_interface *interface, const chainsi_buffer *items,
                           size_t item_count, const chainsi_buffer *outputs, chainsi_buffer *out)
{
    uint32_t count = interface->output->field_count;
    size_t head = count < 16 ? 1 : 3; /* of the outputs' own map: fixmap or map 16 */
    count++;
    size_t name = strlen(interface->stream_name);
    const uint8_t map[] = { 0xde, (uint8_t)(count >> 8), (uint8_t)count,
                            0xda, (uint8_t)(name >> 8),  (uint8_t)name };
    const uint8_t array[] = { 0xdd, (uint8_t)(item_count >> 24), (uint8_t)(item_count >> 16),
                              (uint8_t)(item_count >> 8), (uint8_t)item_count };
    chainsi_buffer_add(out, map, sizeof map);
    chainsi_buffer_add(out, interface->stream_name, name);
    chainsi_buffer_add(out, array, sizeof array);
    chainsi_buffer_add(out, items->data, items->size);
    chainsi_buffer_add(out, outputs->data + head, outputs->size - head);
}

chains_status chainsi_answer_gather(const chainsi_interface *interface, const chainsi_buffer *items,
                                    size_t count, const void *outputs, bool msgpack,
                                    chainsi_buffer *out, chainsi_codec_error *error)
{
    chainsi_buffer named = { 0 };
    chains_status status = msgpack
                               ? chainsi_msgpack_encode(interface->output, outputs, &named, error)
                               : chainsi_json_encode(interface->output, outputs, &named, error);
    if (status == CHAINS_OK && msgpack)
        gather_msgpack(interface, items, count, &named, out);
    else if (status == CHAINS_OK)
        gather_json(interface, items, &named, out);
    chainsi_buffer_done(&named);
    return status;
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
