/* Walking MessagePack. Nothing is read at or beyond reader->end, and nothing is believed about counts
 * that the bytes left don't bear out. */
#include "schema/msgpack_scan.h"

#include <math.h>
#include <stdio.h>

#include "schema/number.h"
#include "schema/utf8.h"

void chainsi_msgpack_reader_init(chainsi_msgpack_reader *reader, const void *data, size_t size,
                                 chainsi_codec_error *error)
{
    reader->data = size ? data : &reader->nowhere;
    reader->end = reader->data + size;
    reader->pending = &reader->nowhere;
    reader->nowhere = 0;
    reader->reserved = 0;
    chainsi_report_init(&reader->report, error);
}

/* --------------------------------------------------------------------------------------------
 * errors */

static const char *show_number(char *out, const chainsi_msgpack_value *value)
{
    char *at = out;
    if (value->form == CHAINSI_MSGPACK_INTEGER) {
        if (value->negative)
            *at++ = '-';
        at = chainsi_write_uint64(at, value->magnitude);
    } else if (!isfinite(value->number)) {
        at = stpcpy(at, isnan(value->number) ? "NaN"
                        : value->number > 0  ? "infinity"
                                             : "-infinity");
    } else {
        at = value->form == CHAINSI_MSGPACK_FLOAT32 ? chainsi_write_float(at, (float)value->number)
                                                    : chainsi_write_double(at, value->number);
    }
    *at = 0;
    return out;
}

const uint8_t *chainsi_msgpack_expected(chainsi_msgpack_reader *reader, const uint8_t *at,
                                        uint8_t first, const char *expected)
{
    char number[CHAINSI_NUMBER_SIZE + 1], excerpt[CHAINSI_EXCERPT_SIZE];
    char found[CHAINSI_EXCERPT_SIZE + 16];
    chainsi_msgpack_value value;
    const uint8_t *content;
    size_t size;
    bool other;
    if (first == MSGPACK_NIL) {
        strcpy(found, "nil");
    } else if (first == MSGPACK_FALSE || first == MSGPACK_TRUE) {
        strcpy(found, first == MSGPACK_TRUE ? "true" : "false");
    } else if (first < MSGPACK_FIXMAP || first >= MSGPACK_NEGATIVE ||
               (first >= MSGPACK_FLOAT32 && first <= MSGPACK_INT64)) {
        if (!chainsi_msgpack_read_number(reader, at, first, NULL, &value))
            return NULL;
        sprintf(found, "the number %s", show_number(number, &value));
    } else if ((content = chainsi_msgpack_read_str(reader, at, first, &size, &other))) {
        sprintf(found, "the string %s", chainsi_excerpt(excerpt, (const char *)content, size));
    } else if (!other) {
        return NULL;
    } else if ((content = chainsi_msgpack_read_bin(reader, at, first, &size, &other))) {
        sprintf(found, "%zu bytes", size);
    } else if (!other) {
        return NULL;
    } else if (first <= 0x8f || first == MSGPACK_MAP16 || first == MSGPACK_MAP32) {
        strcpy(found, "a map");
    } else if (first <= 0x9f || first == MSGPACK_ARRAY16 || first == MSGPACK_ARRAY32) {
        strcpy(found, "an array");
    } else if (first == 0xc1) {
        strcpy(found, "the byte 0xc1, which begins nothing");
    } else {
        strcpy(found, "an extension");
    }
    chainsi_report_fail(&reader->report, (size_t)(at - reader->data), "expected %s, found %s",
                        expected, found);
    return NULL;
}

const uint8_t *chainsi_msgpack_expected_type(chainsi_msgpack_reader *reader, const uint8_t *at,
                                             uint8_t first, const chainsi_type *type)
{
    char expected[CHAINSI_EXPECTED_SIZE];
    const char *what = type->kind == CHAINSI_STRUCT || type->kind == CHAINSI_MAP
                           ? "a map"
                           : chainsi_expected(expected, type);
    return chainsi_msgpack_expected(reader, at, first, what);
}

const uint8_t *chainsi_msgpack_cut_short(chainsi_msgpack_reader *reader, const char *expected)
{
    chainsi_report_fail(&reader->report, (size_t)(reader->end - reader->data),
                        "expected %s, found the end of the data", expected);
    return NULL;
}

const uint8_t *chainsi_msgpack_too_deep(chainsi_msgpack_reader *reader, const uint8_t *at)
{
    chainsi_report_fail(&reader->report, (size_t)(at - reader->data),
                        "expected at most %d nested arrays and maps, found one more",
                        CHAINSI_MAX_DEPTH);
    return NULL;
}

const uint8_t *chainsi_msgpack_bad_utf8(chainsi_msgpack_reader *reader, const uint8_t *text,
                                        size_t size)
{
    size_t valid = chainsi_utf8_valid((const char *)text, size);
    const uint8_t *at = text + valid, *nul = memchr(text, 0, valid);
    if (nul)
        chainsi_report_fail(&reader->report, (size_t)(nul - reader->data),
                            "expected text without U+0000, found it at %zu", (size_t)(nul - text));
    else
        chainsi_report_fail(&reader->report, (size_t)(at - reader->data),
                            "expected a string in valid UTF-8, found the byte 0x%02x", *at);
    return NULL;
}

/* --------------------------------------------------------------------------------------------
 * single values */

const uint8_t *chainsi_msgpack_read_number(chainsi_msgpack_reader *reader, const uint8_t *at,
                                           uint8_t first, const chainsi_type *type,
                                           chainsi_msgpack_value *value)
{
    static const uint8_t sizes[] = { 4, 8, 1, 2, 4, 8, 1, 2, 4, 8 };
    int64_t number;
    *value = (chainsi_msgpack_value){ .form = CHAINSI_MSGPACK_INTEGER };
    if (first < MSGPACK_FIXMAP) {
        value->magnitude = first;
        return at + 1;
    }
    if (first >= MSGPACK_NEGATIVE) {
        value->negative = true;
        value->magnitude = 256u - first;
        return at + 1;
    }
    if (first < MSGPACK_FLOAT32 || first > MSGPACK_INT64)
        return type ? chainsi_msgpack_expected_type(reader, at, first, type)
                    : chainsi_msgpack_expected(reader, at, first, "a number");
    size_t size = sizes[first - MSGPACK_FLOAT32];
    if ((size_t)(reader->end - ++at) < size)
        return chainsi_msgpack_cut_short(reader, "the rest of a number");
    switch (first) {
    case MSGPACK_FLOAT32: {
        float narrow;
        uint32_t bits = chainsi_load_big32(at);
        memcpy(&narrow, &bits, sizeof narrow);
        value->form = CHAINSI_MSGPACK_FLOAT32;
        value->number = (double)narrow;
        return at + size;
    }
    case MSGPACK_FLOAT64: {
        uint64_t bits = chainsi_load_big64(at);
        memcpy(&value->number, &bits, sizeof bits);
        value->form = CHAINSI_MSGPACK_FLOAT64;
        return at + size;
    }
    case MSGPACK_UINT8:
        value->magnitude = *at;
        return at + size;
    case MSGPACK_UINT16:
        value->magnitude = chainsi_load_big16(at);
        return at + size;
    case MSGPACK_UINT32:
        value->magnitude = chainsi_load_big32(at);
        return at + size;
    case MSGPACK_UINT64:
        value->magnitude = chainsi_load_big64(at);
        return at + size;
    case MSGPACK_INT8:
        number = (int8_t)*at;
        break;
    case MSGPACK_INT16:
        number = (int16_t)chainsi_load_big16(at);
        break;
    case MSGPACK_INT32:
        number = (int32_t)chainsi_load_big32(at);
        break;
    default:
        number = (int64_t)chainsi_load_big64(at);
        break;
    }
    value->negative = number < 0;
    value->magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    return at + size;
}

/* Reads the big-endian size of 1, 2 or 4 bytes at `at`. */
static const uint8_t *read_size(chainsi_msgpack_reader *reader, const uint8_t *at, int bytes,
                                size_t *size)
{
    if (reader->end - at < bytes)
        return chainsi_msgpack_cut_short(reader, "the rest of a size");
    *size = bytes == 1 ? *at : bytes == 2 ? chainsi_load_big16(at) : chainsi_load_big32(at);
    return at + bytes;
}

static const uint8_t *check_content(chainsi_msgpack_reader *reader, const uint8_t *at, size_t size,
                                    const char *what)
{
    if (!at || size <= (size_t)(reader->end - at))
        return at;
    char expected[64];
    snprintf(expected, sizeof expected, "%zu bytes of %s", size, what);
    return chainsi_msgpack_cut_short(reader, expected);
}

const uint8_t *chainsi_msgpack_read_str(chainsi_msgpack_reader *reader, const uint8_t *at,
                                        uint8_t first, size_t *size, bool *other)
{
    *other = false;
    *size = 0;
    at++;
    if ((first & 0xe0) == MSGPACK_FIXSTR)
        *size = first & 31;
    else if (first >= MSGPACK_STR8 && first <= MSGPACK_STR32)
        at = read_size(reader, at, 1 << (first - MSGPACK_STR8), size);
    else {
        *other = true;
        return NULL;
    }
    return check_content(reader, at, *size, "a string");
}

const uint8_t *chainsi_msgpack_read_bin(chainsi_msgpack_reader *reader, const uint8_t *at,
                                        uint8_t first, size_t *size, bool *other)
{
    *other = first < MSGPACK_BIN8 || first > MSGPACK_BIN32;
    *size = 0;
    if (*other)
        return NULL;
    at = read_size(reader, at + 1, 1 << (first - MSGPACK_BIN8), size);
    return check_content(reader, at, *size, "bin");
}

static const uint8_t *check_count(chainsi_msgpack_reader *reader, const uint8_t *start,
                                  const uint8_t *at, size_t count, size_t bytes_each,
                                  const char *what)
{
    if (!at)
        return NULL;
    if (count > CHAINSI_MAX_ITEMS) {
        chainsi_report_fail(&reader->report, (size_t)(start - reader->data),
                            "expected at most %zu %s, found %zu", CHAINSI_MAX_ITEMS, what, count);
        return NULL;
    }
    size_t left = (size_t)(reader->end - at);
    if (left < reader->reserved || (left - reader->reserved) / bytes_each < count) {
        char expected[64];
        snprintf(expected, sizeof expected, "%zu %s", count, what);
        return chainsi_msgpack_cut_short(reader, expected);
    }
    return at;
}

const uint8_t *chainsi_msgpack_read_array(chainsi_msgpack_reader *reader, const uint8_t *at,
                                          uint8_t first, size_t *count, bool *other)
{
    const uint8_t *start = at++;
    *other = false;
    *count = 0;
    if ((first & 0xf0) == MSGPACK_FIXARRAY)
        *count = first & 15;
    else if (first == MSGPACK_ARRAY16 || first == MSGPACK_ARRAY32)
        at = read_size(reader, at, first == MSGPACK_ARRAY16 ? 2 : 4, count);
    else {
        *other = true;
        return NULL;
    }
    return check_count(reader, start, at, *count, 1, "items");
}

const uint8_t *chainsi_msgpack_read_map(chainsi_msgpack_reader *reader, const uint8_t *at,
                                        uint8_t first, size_t *count, bool *other)
{
    const uint8_t *start = at++;
    *other = false;
    *count = 0;
    if ((first & 0xf0) == MSGPACK_FIXMAP)
        *count = first & 15;
    else if (first == MSGPACK_MAP16 || first == MSGPACK_MAP32)
        at = read_size(reader, at, first == MSGPACK_MAP16 ? 2 : 4, count);
    else {
        *other = true;
        return NULL;
    }
    return check_count(reader, start, at, *count, 2, "keys");
}

/* --------------------------------------------------------------------------------------------
 * any value */

const uint8_t *chainsi_msgpack_skip(chainsi_msgpack_reader *reader, const uint8_t *at,
                                    unsigned depth)
{
    if (at == reader->end)
        return chainsi_msgpack_cut_short(reader, "a value");
    const uint8_t first = chainsi_msgpack_first(reader, at);
    const uint8_t *content;
    chainsi_msgpack_value value;
    size_t size = 0;
    bool other;
    if (first < MSGPACK_FIXMAP || first >= MSGPACK_NEGATIVE || first == MSGPACK_NIL ||
        first == MSGPACK_FALSE || first == MSGPACK_TRUE)
        return at + 1;
    if (first >= MSGPACK_FLOAT32 && first <= MSGPACK_INT64)
        return chainsi_msgpack_read_number(reader, at, first, NULL, &value);
    content = chainsi_msgpack_read_str(reader, at, first, &size, &other);
    if (other)
        content = chainsi_msgpack_read_bin(reader, at, first, &size, &other);
    if (!other)
        return content ? content + size : NULL;

    size_t values;
    content = chainsi_msgpack_read_array(reader, at, first, &size, &other);
    values = size;
    if (other) {
        content = chainsi_msgpack_read_map(reader, at, first, &size, &other);
        values = size * 2;
    }
    if (!other) {
        if (!content)
            return NULL;
        if (depth >= CHAINSI_MAX_DEPTH)
            return chainsi_msgpack_too_deep(reader, at);
        reader->reserved += values;
        for (size_t i = 0; i < values && content; i++) {
            reader->reserved--;
            content = chainsi_msgpack_skip(reader, content, depth + 1);
        }
        return content;
    }

    if (first >= MSGPACK_FIXEXT1 && first <= MSGPACK_FIXEXT16) {
        size = (size_t)1 << (first - MSGPACK_FIXEXT1);
        content = at + 1;
    } else if (first >= MSGPACK_EXT8 && first <= MSGPACK_EXT32) {
        content = read_size(reader, at + 1, 1 << (first - MSGPACK_EXT8), &size);
    } else {
        return chainsi_msgpack_expected(reader, at, first, "a value");
    }
    content = check_content(reader, content, size + 1, "an extension"); /* its type, too */
    return content ? content + size + 1 : NULL;
}
