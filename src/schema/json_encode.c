/* C values to JSON text, in one pass over value and table.
 *
 * Functions take the place in the buffer where they write and return the place behind it, or NULL
 * once an error is reported. encoder->end is the end of the room; make_room moves both. */
#include <math.h>

#include "schema/access.h"
#include "schema/base64.h"
#include "schema/json.h"
#include "schema/json_scan.h"
#include "schema/json_write.h"
#include "schema/limits.h"
#include "schema/number.h"
#include "schema/utf8.h"

struct encoder {
    chainsi_buffer *out;
    uint8_t *end; /* of the buffer's room */
    chainsi_report report;
};

static uint8_t *encode_value(struct encoder *encoder, uint8_t *at, const chainsi_type *type,
                             const void *value, unsigned depth);

static __attribute__((noinline)) uint8_t *make_more_room(struct encoder *encoder, uint8_t *at,
                                                         size_t size)
{
    chainsi_buffer *out = encoder->out;
    out->size = (size_t)(at - out->data);
    at = chainsi_buffer_reserve(out, size);
    encoder->end = out->data + out->capacity;
    return at;
}

static inline uint8_t *make_room(struct encoder *encoder, uint8_t *at, size_t size)
{
    if (__builtin_expect((size_t)(encoder->end - at) < size, 0))
        return make_more_room(encoder, at, size);
    return at;
}

static inline uint8_t *put(uint8_t *at, const void *data, size_t size)
{
    memcpy(at, data, size);
    return at + size;
}

/* --------------------------------------------------------------------------------------------
 * strings */

/* A string that holds something else than plain ASCII. */
static __attribute__((noinline)) uint8_t *encode_text_slow(struct encoder *encoder, uint8_t *at,
                                                           const char *text, size_t size)
{
    size_t valid = chainsi_utf8_valid(text, size);
    if (valid != size) {
        chainsi_report_fail(&encoder->report, 0,
                            "expected a string in valid UTF-8, found the byte 0x%02x at %zu",
                            (uint8_t)text[valid], valid);
        return NULL;
    }
    at = make_room(encoder, at, 1);
    *at++ = '"';
    while (size) {
        size_t part = size > 4096 ? 4096 : size;
        at = make_room(encoder, at, part * 6 + 1);
        at = chainsi_json_write_escaped(at, text, part);
        text += part;
        size -= part;
    }
    *at++ = '"';
    return at;
}

#define ONES 0x0101010101010101u
#define TOPS 0x8080808080808080u

/* Not 0 if any of eight bytes needs a second look: above ASCII, control, quote or backslash. */
static inline uint64_t find_unplain(uint64_t bytes)
{
    uint64_t quotes = bytes ^ ONES * '"', backslashes = bytes ^ ONES * '\\';
    return (bytes | (bytes - ONES * 0x20) | (quotes - ONES) | (backslashes - ONES)) & TOPS;
}

static inline uint64_t load(const void *at)
{
    uint64_t bytes;
    memcpy(&bytes, at, 8);
    return bytes;
}

/* True if nothing in the text needs an escape or is beyond ASCII; then it is copied to out. */
static inline bool copy_plain(uint8_t *out, const char *text, size_t size)
{
    if (size >= 16) {
        size_t i = 0;
#ifdef __SSE2__
        const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'),
                      space = _mm_set1_epi8(0x20);
        for (;;) {
            __m128i bytes = _mm_loadu_si128((const __m128i *)(text + i));
            /* Signed, so that bytes above ASCII are below the space, too. */
            __m128i found = _mm_or_si128(
                _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                _mm_cmplt_epi8(bytes, space));
            _mm_storeu_si128((__m128i *)(out + i), bytes);
            if (_mm_movemask_epi8(found))
                return false;
            i += 16;
            if (i == size)
                return true;
            if (size - i < 16)
                i = size - 16;
        }
#else
        for (;;) {
            uint64_t bytes = load(text + i);
            memcpy(out + i, &bytes, 8);
            if (find_unplain(bytes))
                return false;
            i += 8;
            if (i == size)
                return true;
            if (size - i < 8)
                i = size - 8;
        }
#endif
    }
    if (size >= 8) {
        uint64_t first = load(text), last = load(text + size - 8);
        memcpy(out, &first, 8);
        memcpy(out + size - 8, &last, 8);
        return !(find_unplain(first) | find_unplain(last));
    }
    if (size >= 4) {
        uint32_t first, last;
        memcpy(&first, text, 4);
        memcpy(&last, text + size - 4, 4);
        memcpy(out, &first, 4);
        memcpy(out + size - 4, &last, 4);
        return !find_unplain((uint64_t)last << 32 | first);
    }
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)text[i];
        out[i] = byte;
        if (byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\')
            return false;
    }
    return true;
}

static inline uint8_t *encode_text(struct encoder *encoder, uint8_t *at, const char *text)
{
    size_t size = strlen(text);
    at = make_room(encoder, at, size + 2);
    if (__builtin_expect(!copy_plain(at + 1, text, size), 0))
        return encode_text_slow(encoder, at, text, size);
    *at = '"';
    at[size + 1] = '"';
    return at + size + 2;
}

static uint8_t *encode_bytes(struct encoder *encoder, uint8_t *at, const chains_bytes *bytes)
{
    if (bytes->size && !bytes->data) {
        chainsi_report_fail(&encoder->report, 0, "expected bytes, found NULL");
        return NULL;
    }
    size_t size = chainsi_base64_size(bytes->size);
    at = make_room(encoder, at, size + 2);
    *at++ = '"';
    chainsi_base64_write((char *)at, bytes->data, bytes->size);
    at[size] = '"';
    return at + size + 1;
}

static uint8_t *encode_json(struct encoder *encoder, uint8_t *at, const chains_json *json,
                            unsigned depth)
{
    if (!json->text) {
        chainsi_report_fail(&encoder->report, 0, "expected JSON, found NULL");
        return NULL;
    }
    chainsi_json_reader reader = { .text = json->text, .end = json->text + json->size };
    chainsi_report_init(&reader.report, encoder->report.error);
    const char *start = chainsi_json_skip_space(json->text, reader.end);
    const char *end = chainsi_json_skip(&reader, start, depth);
    if (!end || !chainsi_json_at_end(&reader, end)) {
        char reason[CHAINSI_CODEC_MESSAGE];
        size_t place = encoder->report.error->offset;
        memcpy(reason, encoder->report.error->message, sizeof reason);
        chainsi_report_fail(&encoder->report, 0, "in JSON at byte %zu: %s", place, reason);
        return NULL;
    }
    size_t size = (size_t)(end - start);
    at = make_room(encoder, at, size);
    /* Only space between its parts can hold a line end, which would break a format of lines. */
    if (memchr(start, '\n', size) || memchr(start, '\r', size))
        return chainsi_json_compact(at, start, size);
    return put(at, start, size);
}

/* --------------------------------------------------------------------------------------------
 * scalars */

static uint8_t *refuse_number(struct encoder *encoder, double number)
{
    chainsi_report_fail(&encoder->report, 0, "expected a number that JSON has, found %s",
                        isnan(number) ? "NaN"
                        : number > 0  ? "infinity"
                                      : "-infinity");
    return NULL;
}

static uint8_t *encode_enum(struct encoder *encoder, uint8_t *at, const chainsi_type *type,
                            const void *value)
{
    const chainsi_enumerator *found = chainsi_find_value(type, value);
    if (!found) {
        int64_t number = 0;
        char expected[CHAINSI_EXPECTED_SIZE];
        memcpy(&number, value, type->size);
        if (type->size == 4)
            number = (int32_t)number;
        chainsi_report_fail(&encoder->report, 0, "expected the value of %s, found the number %lld",
                            chainsi_expected(expected, type), (long long)number);
        return NULL;
    }
    return encode_text(encoder, at, found->name);
}

static uint8_t *encode_tensor(struct encoder *encoder, uint8_t *at, const chains_tensor *tensor,
                              unsigned depth)
{
    size_t size;
    if (!chainsi_tensor_check(&encoder->report, 0, tensor, SIZE_MAX, &size))
        return NULL;
    chainsi_json_tensor parts = {
        .data_b64 = { tensor->data, size },
        /* Only read from. */
        .shape = { (int64_t *)(uintptr_t)tensor->shape, tensor->rank },
        .dtype = tensor->dtype,
    };
    return encode_value(encoder, at, &chainsi_type_json_tensor, &parts, depth);
}

/* --------------------------------------------------------------------------------------------
 * arrays and objects */

static bool enter(struct encoder *encoder, unsigned depth)
{
    return depth < CHAINSI_MAX_DEPTH ||
           chainsi_report_fail(&encoder->report, 0,
                               "expected at most %d nested arrays and objects, found one more",
                               CHAINSI_MAX_DEPTH);
}

static bool check_items(struct encoder *encoder, const chainsi_items *items)
{
    if (items->count && !items->items)
        return chainsi_report_fail(&encoder->report, 0, "expected %zu items, found NULL",
                                   items->count);
    if (items->count > CHAINSI_MAX_ITEMS)
        return chainsi_report_fail(&encoder->report, 0, "expected at most %zu items, found %zu",
                                   CHAINSI_MAX_ITEMS, items->count);
    return true;
}

static uint8_t *encode_list(struct encoder *encoder, uint8_t *at, const chainsi_type *type,
                            const chainsi_items *list, unsigned depth)
{
    if (!enter(encoder, depth) || !check_items(encoder, list))
        return NULL;
    const uint8_t *item = list->items;
    at = make_room(encoder, at, 2);
    *at++ = '[';
    for (size_t i = 0; i < list->count; i++, item += type->item->size) {
        at = encode_value(encoder, at, type->item, item, depth + 1);
        if (__builtin_expect(!at, 0)) {
            chainsi_report_index(&encoder->report, i);
            return NULL;
        }
        at = make_room(encoder, at, 1);
        *at++ = ',';
    }
    if (list->count)
        at--;
    at = make_room(encoder, at, 1);
    *at++ = ']';
    return at;
}

static uint8_t *encode_map(struct encoder *encoder, uint8_t *at, const chainsi_type *type,
                           const chainsi_items *map, unsigned depth)
{
    if (!enter(encoder, depth) || !check_items(encoder, map))
        return NULL;
    const uint8_t *entry = map->items;
    at = make_room(encoder, at, 2);
    *at++ = '{';
    for (size_t i = 0; i < map->count; i++, entry += type->entry_size) {
        const char *key = *(const chainsi_text *)entry;
        if (!key) {
            chainsi_report_fail(&encoder->report, 0, "expected a key, found NULL");
            chainsi_report_index(&encoder->report, i);
            return NULL;
        }
        at = encode_text(encoder, at, key);
        if (at) {
            at = make_room(encoder, at, 1);
            *at++ = ':';
            at = encode_value(encoder, at, type->item, entry + type->value_offset, depth + 1);
        }
        if (__builtin_expect(!at, 0)) {
            chainsi_report_key(&encoder->report, key);
            return NULL;
        }
        at = make_room(encoder, at, 1);
        *at++ = ',';
    }
    size_t repeated = chainsi_find_repeated_key(map->items, map->count, type->entry_size);
    if (repeated < map->count) {
        const char *key = *(const chainsi_text *)(map->items + repeated * type->entry_size);
        char excerpt[CHAINSI_EXCERPT_SIZE];
        chainsi_report_fail(&encoder->report, 0, "expected every key once, found %s again",
                            chainsi_excerpt(excerpt, key, strlen(key)));
        chainsi_report_key(&encoder->report, key);
        return NULL;
    }
    if (map->count)
        at--;
    at = make_room(encoder, at, 1);
    *at++ = '}';
    return at;
}

/* True if an optional field is absent in C. */
static bool is_absent(const chainsi_field *field, const void *value)
{
    return field->optional && !*(const chainsi_pointer *)value;
}

static uint8_t *encode_struct(struct encoder *encoder, uint8_t *at, const chainsi_type *type,
                              const void *structure, unsigned depth)
{
    if (!enter(encoder, depth))
        return NULL;
    at = make_room(encoder, at, 2);
    *at++ = '{';
    for (uint32_t i = 0; i < type->field_count; i++) {
        const chainsi_field *field = &type->fields[i];
        const void *value = (const uint8_t *)structure + field->offset;
        at = make_room(encoder, at, field->name_size + 4 + 4);
        if (i)
            *at++ = ',';
        *at = '"';
        chainsi_copy_short(at + 1, field->name, field->name_size);
        at += field->name_size + 1;
        at = put(at, "\":", 2);
        if (is_absent(field, value)) {
            at = put(at, "null", 4);
            continue;
        }
        at = encode_value(encoder, at, field->type, value, depth + 1);
        if (__builtin_expect(!at, 0)) {
            chainsi_report_field(&encoder->report, field->name);
            return NULL;
        }
    }
    at = make_room(encoder, at, 1);
    *at++ = '}';
    return at;
}

static uint8_t *encode_value(struct encoder *encoder, uint8_t *at, const chainsi_type *type,
                             const void *value, unsigned depth)
{
    switch (type->kind) {
    case CHAINSI_BOOL:
        at = make_room(encoder, at, 5);
        return CHAINSI_LOAD(uint8_t, value) ? put(at, "true", 4) : put(at, "false", 5);
    case CHAINSI_INT8:
    case CHAINSI_INT16:
    case CHAINSI_INT32:
    case CHAINSI_INT64:
        at = make_room(encoder, at, CHAINSI_NUMBER_SIZE);
        return (uint8_t *)chainsi_write_int64((char *)at, chainsi_load_signed(type->kind, value));
    case CHAINSI_UINT8:
    case CHAINSI_UINT16:
    case CHAINSI_UINT32:
    case CHAINSI_UINT64:
        at = make_room(encoder, at, CHAINSI_NUMBER_SIZE);
        return (uint8_t *)chainsi_write_uint64((char *)at,
                                               chainsi_load_unsigned(type->kind, value));
    case CHAINSI_FLOAT: {
        float number = CHAINSI_LOAD(float, value);
        if (!isfinite(number))
            return refuse_number(encoder, (double)number);
        at = make_room(encoder, at, CHAINSI_NUMBER_SIZE);
        return (uint8_t *)chainsi_write_float((char *)at, number);
    }
    case CHAINSI_DOUBLE: {
        double number = CHAINSI_LOAD(double, value);
        if (!isfinite(number))
            return refuse_number(encoder, number);
        at = make_room(encoder, at, CHAINSI_NUMBER_SIZE);
        return (uint8_t *)chainsi_write_double((char *)at, number);
    }
    case CHAINSI_STRING: {
        const char *text = *(const chainsi_text *)value;
        if (!text) {
            chainsi_report_fail(&encoder->report, 0, "expected a string, found NULL");
            return NULL;
        }
        return encode_text(encoder, at, text);
    }
    case CHAINSI_BYTES:
        return encode_bytes(encoder, at, value);
    case CHAINSI_JSON:
        return encode_json(encoder, at, value, depth);
    case CHAINSI_TENSOR:
        return encode_tensor(encoder, at, value, depth);
    case CHAINSI_ENUM:
        return encode_enum(encoder, at, type, value);
    case CHAINSI_STRUCT:
        return encode_struct(encoder, at, type, value, depth);
    case CHAINSI_LIST:
        return encode_list(encoder, at, type, value, depth);
    case CHAINSI_MAP:
        return encode_map(encoder, at, type, value, depth);
    case CHAINSI_POINTER: {
        const void *target = *(const chainsi_pointer *)value;
        if (!target) {
            char expected[CHAINSI_EXPECTED_SIZE];
            chainsi_report_fail(&encoder->report, 0, "expected %s, found NULL",
                                chainsi_expected(expected, type->item));
            return NULL;
        }
        return encode_value(encoder, at, type->item, target, depth);
    }
    }
    __builtin_unreachable();
}

chains_status chainsi_json_encode(const chainsi_type *type, const void *value, chainsi_buffer *out,
                                  chainsi_codec_error *error)
{
    chainsi_codec_error unwanted;
    struct encoder encoder = { .out = out };
    chainsi_report_init(&encoder.report, error ? error : &unwanted);
    const size_t size = out->size;
    uint8_t *at = chainsi_buffer_reserve(out, 256);
    encoder.end = out->data + out->capacity;
    at = encode_value(&encoder, at, type, value, 0);
    if (!at) {
        out->size = size;
        return chainsi_report_finish(&encoder.report);
    }
    out->size = (size_t)(at - out->data);
    return CHAINS_OK;
}
