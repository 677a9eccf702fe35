/* MessagePack values as JSON text, for chains_json. */
#include <math.h>

#include "schema/base64.h"
#include "schema/json.h"
#include "schema/msgpack_scan.h"
#include "schema/number.h"
#include "schema/utf8.h"

static const uint8_t *write_text(chainsi_msgpack_reader *reader, const uint8_t *content,
                                 size_t size, chainsi_buffer *json)
{
    if (chainsi_utf8_valid((const char *)content, size) != size) {
        size_t valid = chainsi_utf8_valid((const char *)content, size);
        chainsi_report_fail(&reader->report, (size_t)(content + valid - reader->data),
                            "expected a string in valid UTF-8, found the byte 0x%02x",
                            content[valid]);
        return NULL;
    }
    chainsi_json_write_string(json, (const char *)content, size);
    return content + size;
}

static const uint8_t *write_bytes(const uint8_t *content, size_t size, chainsi_buffer *json)
{
    size_t text_size = chainsi_base64_size(size);
    char *out = (char *)chainsi_buffer_reserve(json, text_size + 2);
    out[0] = '"';
    chainsi_base64_write(out + 1, content, size);
    out[text_size + 1] = '"';
    json->size += text_size + 2;
    return content + size;
}

static const uint8_t *write_number(chainsi_msgpack_reader *reader, const uint8_t *at, uint8_t first,
                                   chainsi_buffer *json)
{
    chainsi_msgpack_value value;
    const uint8_t *behind = chainsi_msgpack_read_number(reader, at, first, NULL, &value);
    if (!behind)
        return NULL;
    if (value.form != CHAINSI_MSGPACK_INTEGER) {
        if (!isfinite(value.number))
            return chainsi_msgpack_expected(reader, at, first, "a number that JSON has");
        chainsi_json_write_double(json, value.number);
        return behind;
    }
    char *start = (char *)chainsi_buffer_reserve(json, CHAINSI_NUMBER_SIZE), *out = start;
    if (value.negative)
        *out++ = '-';
    json->size += (size_t)(chainsi_write_uint64(out, value.magnitude) - start);
    return behind;
}

static const uint8_t *write_key(chainsi_msgpack_reader *reader, const uint8_t *at,
                                chainsi_buffer *json)
{
    size_t size;
    bool other;
    if (at == reader->end)
        return chainsi_msgpack_cut_short(reader, "a key");
    const uint8_t first = chainsi_msgpack_first(reader, at);
    const uint8_t *content = chainsi_msgpack_read_str(reader, at, first, &size, &other);
    if (!content)
        return other ? chainsi_msgpack_expected(reader, at, first, "a key that is a string") : NULL;
    content = write_text(reader, content, size, json);
    if (content)
        chainsi_buffer_add_byte(json, ':');
    return content;
}

const uint8_t *chainsi_msgpack_to_json(chainsi_msgpack_reader *reader, const uint8_t *at,
                                       chainsi_buffer *json, unsigned depth)
{
    if (at == reader->end)
        return chainsi_msgpack_cut_short(reader, "a value");
    const uint8_t first = chainsi_msgpack_first(reader, at);
    const uint8_t *content;
    size_t size;
    bool other;
    if (first == MSGPACK_NIL || first == MSGPACK_FALSE || first == MSGPACK_TRUE) {
        chainsi_buffer_add_text(json, first == MSGPACK_NIL     ? "null"
                                      : first == MSGPACK_FALSE ? "false"
                                                               : "true");
        return at + 1;
    }
    content = chainsi_msgpack_read_str(reader, at, first, &size, &other);
    if (!other)
        return content ? write_text(reader, content, size, json) : NULL;
    content = chainsi_msgpack_read_bin(reader, at, first, &size, &other);
    if (!other)
        return content ? write_bytes(content, size, json) : NULL;

    content = chainsi_msgpack_read_array(reader, at, first, &size, &other);
    const bool is_map = other;
    if (other)
        content = chainsi_msgpack_read_map(reader, at, first, &size, &other);
    if (other) {
        if (first >= MSGPACK_FIXMAP && first < MSGPACK_NEGATIVE &&
            (first < MSGPACK_FLOAT32 || first > MSGPACK_INT64))
            return chainsi_msgpack_expected(reader, at, first, "a value that JSON has");
        return write_number(reader, at, first, json);
    }
    if (!content)
        return NULL;
    if (depth >= CHAINSI_MAX_DEPTH)
        return chainsi_msgpack_too_deep(reader, at);
    reader->reserved += is_map ? size * 2 : size;
    chainsi_buffer_add_byte(json, is_map ? '{' : '[');
    for (size_t i = 0; i < size; i++) {
        if (i)
            chainsi_buffer_add_byte(json, ',');
        if (is_map) {
            reader->reserved--;
            content = write_key(reader, content, json);
            if (!content)
                return NULL;
        }
        reader->reserved--;
        content = chainsi_msgpack_to_json(reader, content, json, depth + 1);
        if (!content)
            return NULL;
    }
    chainsi_buffer_add_byte(json, is_map ? '}' : ']');
    return content;
}
