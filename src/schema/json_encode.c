/* C values to JSON text, in one pass over value and table. */
#include <math.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "schema/base64.h"
#include "schema/encoder.h"
#include "schema/json.h"
#include "schema/json_write.h"
#include "schema/limits.h"
#include "schema/number.h"

static uint8_t *encode_value(chainsi_encoder *encoder, uint8_t *at, const chainsi_type *type,
                             const void *value, unsigned depth);

/* --------------------------------------------------------------------------------------------
 * strings */

/* A string that holds something else than plain ASCII. */
static __attribute__((noinline)) uint8_t *encode_text_slow(chainsi_encoder *encoder, uint8_t *at,
                                                           const char *text, size_t size)
{
    if (!chainsi_encoder_check_text(encoder, text, size))
        return NULL;
    at = chainsi_encoder_room(encoder, at, 1);
    *at++ = '"';
    while (size) {
        size_t part = size > 4096 ? 4096 : size;
        at = chainsi_encoder_room(encoder, at, part * 6 + 1);
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

static inline uint8_t *encode_text(chainsi_encoder *encoder, uint8_t *at, const char *text)
{
    size_t size = strlen(text);
    at = chainsi_encoder_room(encoder, at, size + 2);
    if (__builtin_expect(!copy_plain(at + 1, text, size), 0))
        return encode_text_slow(encoder, at, text, size);
    *at = '"';
    at[size + 1] = '"';
    return at + size + 2;
}

static uint8_t *encode_bytes(chainsi_encoder *encoder, uint8_t *at, const chains_bytes *bytes)
{
    if (!chainsi_encoder_check_bytes(encoder, bytes))
        return NULL;
    size_t size = chainsi_base64_size(bytes->size);
    at = chainsi_encoder_room(encoder, at, size + 2);
    *at++ = '"';
    chainsi_base64_write((char *)at, bytes->data, bytes->size);
    at[size] = '"';
    return at + size + 1;
}

static uint8_t *encode_json(chainsi_encoder *encoder, uint8_t *at, const chains_json *json,
                            unsigned depth)
{
    chains_json trimmed;
    if (!chainsi_encoder_check_json(encoder, json, depth, &trimmed))
        return NULL;
    at = chainsi_encoder_room(encoder, at, trimmed.size);
    /* Only space between its parts can hold a line end, which would break a format of lines. */
    if (memchr(trimmed.text, '\n', trimmed.size) || memchr(trimmed.text, '\r', trimmed.size))
        return chainsi_json_compact(at, trimmed.text, trimmed.size);
    return chainsi_put(at, trimmed.text, trimmed.size);
}

/* --------------------------------------------------------------------------------------------
 * scalars */

static uint8_t *refuse_number(chainsi_encoder *encoder, double number)
{
    chainsi_report_fail(&encoder->report, 0, "expected a number that JSON has, found %s",
                        isnan(number) ? "NaN"
                        : number > 0  ? "infinity"
                                      : "-infinity");
    return NULL;
}

static uint8_t *encode_enum(chainsi_encoder *encoder, uint8_t *at, const chainsi_type *type,
                            const void *value)
{
    const chainsi_enumerator *found = chainsi_encoder_find_value(encoder, type, value);
    return found ? encode_text(encoder, at, found->name) : NULL;
}

static uint8_t *encode_tensor(chainsi_encoder *encoder, uint8_t *at, const chains_tensor *tensor,
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

static uint8_t *encode_list(chainsi_encoder *encoder, uint8_t *at, const chainsi_type *type,
                            const chainsi_items *list, unsigned depth)
{
    if (!chainsi_encoder_enter(encoder, depth) || !chainsi_encoder_check_items(encoder, list))
        return NULL;
    const uint8_t *item = list->items;
    at = chainsi_encoder_room(encoder, at, 2);
    *at++ = '[';
    for (size_t i = 0; i < list->count; i++, item += type->item->size) {
        at = encode_value(encoder, at, type->item, item, depth + 1);
        if (__builtin_expect(!at, 0)) {
            chainsi_report_index(&encoder->report, i);
            return NULL;
        }
        at = chainsi_encoder_room(encoder, at, 1);
        *at++ = ',';
    }
    if (list->count)
        at--;
    at = chainsi_encoder_room(encoder, at, 1);
    *at++ = ']';
    return at;
}

static uint8_t *encode_map(chainsi_encoder *encoder, uint8_t *at, const chainsi_type *type,
                           const chainsi_items *map, unsigned depth)
{
    if (!chainsi_encoder_enter(encoder, depth) || !chainsi_encoder_check_items(encoder, map) ||
        !chainsi_encoder_check_keys(encoder, type, map))
        return NULL;
    const uint8_t *entry = map->items;
    at = chainsi_encoder_room(encoder, at, 2);
    *at++ = '{';
    for (size_t i = 0; i < map->count; i++, entry += type->entry_size) {
        const char *key = *(const chainsi_text *)entry;
        at = encode_text(encoder, at, key);
        if (at) {
            at = chainsi_encoder_room(encoder, at, 1);
            *at++ = ':';
            at = encode_value(encoder, at, type->item, entry + type->value_offset, depth + 1);
        }
        if (__builtin_expect(!at, 0)) {
            chainsi_report_key(&encoder->report, key);
            return NULL;
        }
        at = chainsi_encoder_room(encoder, at, 1);
        *at++ = ',';
    }
    if (map->count)
        at--;
    at = chainsi_encoder_room(encoder, at, 1);
    *at++ = '}';
    return at;
}

static uint8_t *encode_struct(chainsi_encoder *encoder, uint8_t *at, const chainsi_type *type,
                              const void *structure, unsigned depth)
{
    if (!chainsi_encoder_enter(encoder, depth))
        return NULL;
    at = chainsi_encoder_room(encoder, at, 2);
    *at++ = '{';
    for (uint32_t i = 0; i < type->field_count; i++) {
        const chainsi_field *field = &type->fields[i];
        const void *value = (const uint8_t *)structure + field->offset;
        at = chainsi_encoder_room(encoder, at, field->name_size + 4 + 4);
        if (i)
            *at++ = ',';
        *at = '"';
        chainsi_copy_short(at + 1, field->name, field->name_size);
        at += field->name_size + 1;
        at = chainsi_put(at, "\":", 2);
        if (chainsi_is_absent(field, value)) {
            at = chainsi_put(at, "null", 4);
            continue;
        }
        at = encode_value(encoder, at, field->type, value, depth + 1);
        if (__builtin_expect(!at, 0)) {
            chainsi_report_field(&encoder->report, field->name);
            return NULL;
        }
    }
    at = chainsi_encoder_room(encoder, at, 1);
    *at++ = '}';
    return at;
}

static uint8_t *encode_value(chainsi_encoder *encoder, uint8_t *at, const chainsi_type *type,
                             const void *value, unsigned depth)
{
    switch (type->kind) {
    case CHAINSI_BOOL:
        at = chainsi_encoder_room(encoder, at, 5);
        return CHAINSI_LOAD(uint8_t, value) ? chainsi_put(at, "true", 4)
                                            : chainsi_put(at, "false", 5);
    case CHAINSI_INT8:
    case CHAINSI_INT16:
    case CHAINSI_INT32:
    case CHAINSI_INT64:
        at = chainsi_encoder_room(encoder, at, CHAINSI_NUMBER_SIZE);
        return (uint8_t *)chainsi_write_int64((char *)at, chainsi_load_signed(type->kind, value));
    case CHAINSI_UINT8:
    case CHAINSI_UINT16:
    case CHAINSI_UINT32:
    case CHAINSI_UINT64:
        at = chainsi_encoder_room(encoder, at, CHAINSI_NUMBER_SIZE);
        return (uint8_t *)chainsi_write_uint64((char *)at,
                                               chainsi_load_unsigned(type->kind, value));
    case CHAINSI_FLOAT: {
        float number = CHAINSI_LOAD(float, value);
        if (!isfinite(number))
            return refuse_number(encoder, (double)number);
        at = chainsi_encoder_room(encoder, at, CHAINSI_NUMBER_SIZE);
        return (uint8_t *)chainsi_write_float((char *)at, number);
    }
    case CHAINSI_DOUBLE: {
        double number = CHAINSI_LOAD(double, value);
        if (!isfinite(number))
            return refuse_number(encoder, number);
        at = chainsi_encoder_room(encoder, at, CHAINSI_NUMBER_SIZE);
        return (uint8_t *)chainsi_write_double((char *)at, number);
    }
    case CHAINSI_STRING: {
        const char *text = *(const chainsi_text *)value;
        if (!text) {
            chainsi_encoder_refuse_null(encoder, type);
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
            chainsi_encoder_refuse_null(encoder, type->item);
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
    chainsi_encoder encoder;
    uint8_t *at = chainsi_encoder_begin(&encoder, out, error);
    return chainsi_encoder_end(&encoder, encode_value(&encoder, at, type, value, 0));
}
