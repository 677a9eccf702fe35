/* C values to MessagePack, in one pass over value and table. */
#include <math.h>

#include "schema/encoder.h"
#include "schema/json_scan.h"
#include "schema/limits.h"
#include "schema/msgpack.h"
#include "schema/msgpack_scan.h"
#include "schema/number.h"

enum { LARGEST_HEAD = 9 }; /* bytes before the content of any value, or of any number */

/* As in msgpack_decode.c. */
#define OUT_OF_LINE __attribute__((noinline))
#define IN_LINE     inline __attribute__((always_inline))

/* For all that encodes a value there is room for LARGEST_HEAD bytes at `at`. */
static uint8_t *encode_value(chainsi_encoder *encoder, uint8_t *at, const chainsi_type *type,
                             const void *value, unsigned depth);

/* --------------------------------------------------------------------------------------------
 * pieces, written into room that is there */

static inline uint8_t *put_big16(uint8_t *at, uint64_t number)
{
    uint16_t bits = __builtin_bswap16((uint16_t)number);
    memcpy(at, &bits, sizeof bits);
    return at + sizeof bits;
}

static inline uint8_t *put_big32(uint8_t *at, uint64_t number)
{
    uint32_t bits = __builtin_bswap32((uint32_t)number);
    memcpy(at, &bits, sizeof bits);
    return at + sizeof bits;
}

static inline uint8_t *put_big64(uint8_t *at, uint64_t number)
{
    uint64_t bits = __builtin_bswap64(number);
    memcpy(at, &bits, sizeof bits);
    return at + sizeof bits;
}

static inline uint8_t *put_unsigned(uint8_t *at, uint64_t number)
{
    if (number < 0x80) {
        *at = (uint8_t)number;
        return at + 1;
    }
    if (number <= UINT8_MAX) {
        at[0] = MSGPACK_UINT8;
        at[1] = (uint8_t)number;
        return at + 2;
    }
    if (number <= UINT16_MAX) {
        *at = MSGPACK_UINT16;
        return put_big16(at + 1, number);
    }
    if (number <= UINT32_MAX) {
        *at = MSGPACK_UINT32;
        return put_big32(at + 1, number);
    }
    *at = MSGPACK_UINT64;
    return put_big64(at + 1, number);
}

static inline uint8_t *put_signed(uint8_t *at, int64_t number)
{
    if (number >= 0)
        return put_unsigned(at, (uint64_t)number);
    if (number >= -32) {
        *at = (uint8_t)number;
        return at + 1;
    }
    if (number >= INT8_MIN) {
        at[0] = MSGPACK_INT8;
        at[1] = (uint8_t)number;
        return at + 2;
    }
    if (number >= INT16_MIN) {
        *at = MSGPACK_INT16;
        return put_big16(at + 1, (uint64_t)number);
    }
    if (number >= INT32_MIN) {
        *at = MSGPACK_INT32;
        return put_big32(at + 1, (uint64_t)number);
    }
    *at = MSGPACK_INT64;
    return put_big64(at + 1, (uint64_t)number);
}

static inline uint8_t *put_double(uint8_t *at, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    *at = MSGPACK_FLOAT64;
    return put_big64(at + 1, bits);
}

static inline uint8_t *put_str_head(uint8_t *at, size_t size)
{
    if (size < 32) {
        *at = (uint8_t)(MSGPACK_FIXSTR | size);
        return at + 1;
    }
    if (size <= UINT8_MAX) {
        at[0] = MSGPACK_STR8;
        at[1] = (uint8_t)size;
        return at + 2;
    }
    if (size <= UINT16_MAX) {
        *at = MSGPACK_STR16;
        return put_big16(at + 1, size);
    }
    *at = MSGPACK_STR32;
    return put_big32(at + 1, size);
}

static inline uint8_t *put_bin_head(uint8_t *at, size_t size)
{
    if (size <= UINT8_MAX) {
        at[0] = MSGPACK_BIN8;
        at[1] = (uint8_t)size;
        return at + 2;
    }
    if (size <= UINT16_MAX) {
        *at = MSGPACK_BIN16;
        return put_big16(at + 1, size);
    }
    *at = MSGPACK_BIN32;
    return put_big32(at + 1, size);
}

/* The head of an array (fix: FIXARRAY, long_form: ARRAY16) or a map (FIXMAP, MAP16). */
static inline uint8_t *put_count(uint8_t *at, size_t count, uint8_t fix, uint8_t long_form)
{
    if (count < 16) {
        *at = (uint8_t)(fix | count);
        return at + 1;
    }
    if (count <= UINT16_MAX) {
        *at = long_form;
        return put_big16(at + 1, count);
    }
    *at = (uint8_t)(long_form + 1);
    return put_big32(at + 1, count);
}

static bool check_size(chainsi_encoder *encoder, size_t size)
{
    return size <= UINT32_MAX ||
           chainsi_report_fail(&encoder->report, 0,
                               "expected at most 4294967295 bytes in MessagePack, found %zu", size);
}

/* --------------------------------------------------------------------------------------------
 * texts and bytes */

typedef struct sixteen {
    uint64_t low, high;
} sixteen;

static inline sixteen load16(const char *at)
{
    sixteen bytes;
    memcpy(&bytes, at, 16);
    return bytes;
}

static inline uint64_t store16(uint8_t *at, sixteen bytes)
{
    memcpy(at, &bytes, 16);
    return bytes.low | bytes.high;
}

/* Copies size bytes. False if any is beyond ASCII. As chainsi_copy_short, with few branches. */
static inline bool copy_ascii(uint8_t *out, const char *text, size_t size)
{
    const uint64_t tops = 0x8080808080808080u;
    uint64_t seen = 0;
    if (size >= 16) {
        size_t at = 0;
        for (; size - at > 64; at += 32) {
            seen |= store16(out + at, load16(text + at));
            seen |= store16(out + at + 16, load16(text + at + 16));
        }
        if (size - at > 32) {
            seen |= store16(out + at, load16(text + at));
            seen |= store16(out + at + 16, load16(text + at + 16));
            seen |= store16(out + size - 32, load16(text + size - 32));
        } else {
            seen |= store16(out + at, load16(text + at));
        }
        seen |= store16(out + size - 16, load16(text + size - 16));
        return !(seen & tops);
    }
    if (size >= 8) {
        uint64_t first, last;
        memcpy(&first, text, 8);
        memcpy(&last, text + size - 8, 8);
        memcpy(out, &first, 8);
        memcpy(out + size - 8, &last, 8);
        return !((first | last) & tops);
    }
    if (size >= 4) {
        uint32_t low, high;
        memcpy(&low, text, 4);
        memcpy(&high, text + size - 4, 4);
        memcpy(out, &low, 4);
        memcpy(out + size - 4, &high, 4);
        return !((low | high) & tops);
    }
    for (size_t i = 0; i < size; i++) {
        out[i] = (uint8_t)text[i];
        seen |= out[i];
    }
    return !(seen & 0x80);
}

/* Text or bytes as a reference to an attachment; NULL, with nothing reported: they belong in the
 * body. */
static uint8_t *encode_reference(chainsi_encoder *encoder, uint8_t *at, const void *data,
                                 size_t size, bool text)
{
    chainsi_reference reference;
    if (!encoder->attachments ||
        !chainsi_attachments_add(encoder->attachments, data, size, text, &reference))
        return NULL;
    at = chainsi_encoder_room(encoder, at, MSGPACK_REFERENCE_SIZE);
    at[0] = MSGPACK_FIXEXT16;
    at[1] = MSGPACK_REFERENCE;
    at = put_big32(at + 2, reference.attachment);
    at = put_big32(at, reference.size);
    return put_big64(at, reference.offset);
}

/* Text that is larger than `largest` is looked at more closely. */
static inline uint8_t *encode_text_within(chainsi_encoder *encoder, uint8_t *at, const char *text,
                                          size_t largest)
{
    size_t size = strlen(text);
    if (__builtin_expect(size > largest, 0)) {
        if (!check_size(encoder, size) || !chainsi_encoder_check_text(encoder, text, size))
            return NULL;
        uint8_t *behind = encode_reference(encoder, at, text, size, true);
        if (behind)
            return behind;
    }
    at = chainsi_encoder_room(encoder, at, LARGEST_HEAD + size);
    at = put_str_head(at, size);
    if (__builtin_expect(!copy_ascii(at, text, size), 0) &&
        !chainsi_encoder_check_text(encoder, text, size))
        return NULL;
    return at + size;
}

static uint8_t *encode_text(chainsi_encoder *encoder, uint8_t *at, const char *text)
{
    return encode_text_within(encoder, at, text, encoder->largest_plain);
}

/* A name lies in the body always. */
static uint8_t *encode_name(chainsi_encoder *encoder, uint8_t *at, const char *name)
{
    return encode_text_within(encoder, at, name, UINT32_MAX);
}

static OUT_OF_LINE uint8_t *encode_bytes(chainsi_encoder *encoder, uint8_t *at,
                                         const chains_bytes *bytes)
{
    if (!chainsi_encoder_check_bytes(encoder, bytes) || !check_size(encoder, bytes->size))
        return NULL;
    if (__builtin_expect(bytes->size > encoder->largest_plain, 0)) {
        uint8_t *behind = encode_reference(encoder, at, bytes->data, bytes->size, false);
        if (behind)
            return behind;
    }
    at = chainsi_encoder_room(encoder, at, LARGEST_HEAD + bytes->size);
    at = put_bin_head(at, bytes->size);
    return bytes->size ? chainsi_put(at, bytes->data, bytes->size) : at;
}

static OUT_OF_LINE uint8_t *encode_tensor(chainsi_encoder *encoder, uint8_t *at,
                                          const chains_tensor *tensor, unsigned depth)
{
    size_t size;
    if (!chainsi_tensor_check(&encoder->report, 0, tensor, SIZE_MAX, &size))
        return NULL;
    chainsi_msgpack_tensor parts = {
        .nd = true,
        .type = tensor->dtype,
        /* Only read from. */
        .shape = { (int64_t *)(uintptr_t)tensor->shape, tensor->rank },
        .data = { tensor->data, size },
    };
    return encode_value(encoder, at, &chainsi_type_msgpack_tensor, &parts, depth);
}

/* --------------------------------------------------------------------------------------------
 * JSON text as MessagePack values; the text was checked */

/* Text that is being turned into MessagePack. */
struct transcoder {
    chainsi_encoder *encoder;
    const char *next, *end;
};

static uint8_t *transcode_string(struct transcoder *transcoder, uint8_t *at)
{
    const char *start = transcoder->next + 1, *close = start;
    bool high = false, escaped = false;
    while (*(close = chainsi_json_find_special(close, transcoder->end, &high)) != '"') {
        close += 2;
        escaped = true;
    }
    transcoder->next = close + 1;
    size_t size = (size_t)(close - start);
    if (!check_size(transcoder->encoder, size))
        return NULL;
    at = chainsi_encoder_room(transcoder->encoder, at, LARGEST_HEAD + size);
    if (!escaped) {
        at = put_str_head(at, size);
        return chainsi_put(at, start, size);
    }
    /* Escapes make it shorter, and with it the head. */
    uint8_t *content = at + LARGEST_HEAD;
    size = (size_t)((uint8_t *)chainsi_json_unescape((char *)content, start, close) - content);
    at = put_str_head(at, size);
    memmove(at, content, size);
    return at + size;
}

static uint8_t *transcode_number(struct transcoder *transcoder, uint8_t *at)
{
    chainsi_decimal decimal;
    uint64_t magnitude;
    chainsi_decimal_read(transcoder->next, transcoder->end, &decimal);
    at = chainsi_encoder_room(transcoder->encoder, at, LARGEST_HEAD);
    const char *start = transcoder->next;
    transcoder->next = decimal.end;
    if (decimal.plain && chainsi_decimal_to_integer(&decimal, &magnitude) == CHAINSI_INTEGRAL &&
        (!decimal.negative || magnitude <= UINT64_C(1) << 63))
        return decimal.negative ? put_signed(at, (int64_t)(0 - magnitude))
                                : put_unsigned(at, magnitude);
    double number = chainsi_decimal_to_double(&decimal);
    if (isinf(number)) {
        size_t size = (size_t)(decimal.end - start);
        chainsi_report_fail(&transcoder->encoder->report, 0,
                            "expected a number of a double's range in JSON, found %.*s%s",
                            size > CHAINSI_EXCERPT ? CHAINSI_EXCERPT : (int)size, start,
                            size > CHAINSI_EXCERPT ? "..." : "");
        return NULL;
    }
    return put_double(at, number);
}

static void skip_space(struct transcoder *transcoder)
{
    transcoder->next = chainsi_json_skip_space(transcoder->next, transcoder->end);
}

static uint8_t *transcode(struct transcoder *transcoder, uint8_t *at)
{
    chainsi_encoder *encoder = transcoder->encoder;
    const char first = *transcoder->next;
    if (first == '"')
        return transcode_string(transcoder, at);
    if (first != '{' && first != '[') {
        at = chainsi_encoder_room(encoder, at, 1);
        if (first == '-' || (first >= '0' && first <= '9'))
            return transcode_number(transcoder, at);
        transcoder->next += first == 'f' ? 5 : 4;
        *at = first == 'n' ? MSGPACK_NIL : first == 'f' ? MSGPACK_FALSE : MSGPACK_TRUE;
        return at + 1;
    }
    /* The count is known at the end only: the content moves if its head turns out to be longer. */
    const bool is_object = first == '{';
    at = chainsi_encoder_room(encoder, at, 1);
    const size_t head = (size_t)(at - encoder->out->data);
    size_t count = 0;
    at++;
    transcoder->next++;
    skip_space(transcoder);
    while (*transcoder->next != '}' && *transcoder->next != ']') {
        if (is_object) {
            at = transcode_string(transcoder, at);
            if (!at)
                return NULL;
            skip_space(transcoder);
            transcoder->next++;
            skip_space(transcoder);
        }
        at = transcode(transcoder, at);
        if (!at)
            return NULL;
        count++;
        skip_space(transcoder);
        if (*transcoder->next == ',') {
            transcoder->next++;
            skip_space(transcoder);
        }
    }
    transcoder->next++;
    at = chainsi_encoder_room(encoder, at, LARGEST_HEAD);
    uint8_t *start = encoder->out->data + head;
    const size_t size = (size_t)(at - start) - 1;
    const size_t longer = count < 16 ? 0 : count <= UINT16_MAX ? 2 : 4;
    if (longer)
        memmove(start + 1 + longer, start + 1, size);
    put_count(start, count, is_object ? MSGPACK_FIXMAP : MSGPACK_FIXARRAY,
              is_object ? MSGPACK_MAP16 : MSGPACK_ARRAY16);
    return at + longer;
}

static OUT_OF_LINE uint8_t *encode_json(chainsi_encoder *encoder, uint8_t *at,
                                        const chains_json *json, unsigned depth)
{
    chains_json trimmed;
    if (!chainsi_encoder_check_json(encoder, json, depth, &trimmed))
        return NULL;
    struct transcoder transcoder = {
        .encoder = encoder,
        .next = trimmed.text,
        .end = trimmed.text + trimmed.size,
    };
    return transcode(&transcoder, at);
}

/* --------------------------------------------------------------------------------------------
 * any value */

static uint8_t *encode_struct(chainsi_encoder *encoder, uint8_t *at, const chainsi_type *type,
                              const void *structure, unsigned depth);
static uint8_t *encode_list(chainsi_encoder *encoder, uint8_t *at, const chainsi_type *type,
                            const chainsi_items *list, unsigned depth);
static uint8_t *encode_map(chainsi_encoder *encoder, uint8_t *at, const chainsi_type *type,
                           const chainsi_items *map, unsigned depth);

static IN_LINE uint8_t *encode_value_here(chainsi_encoder *encoder, uint8_t *at,
                                          const chainsi_type *type, const void *value,
                                          unsigned depth)
{
    switch (type->kind) {
    case CHAINSI_BOOL:
        *at = CHAINSI_LOAD(uint8_t, value) ? MSGPACK_TRUE : MSGPACK_FALSE;
        return at + 1;
    case CHAINSI_INT8:
    case CHAINSI_INT16:
    case CHAINSI_INT32:
    case CHAINSI_INT64:
        return put_signed(at, chainsi_load_signed(type->kind, value));
    case CHAINSI_UINT8:
    case CHAINSI_UINT16:
    case CHAINSI_UINT32:
    case CHAINSI_UINT64:
        return put_unsigned(at, chainsi_load_unsigned(type->kind, value));
    case CHAINSI_FLOAT:
        *at = MSGPACK_FLOAT32;
        return put_big32(at + 1, CHAINSI_LOAD(uint32_t, value));
    case CHAINSI_DOUBLE:
        *at = MSGPACK_FLOAT64;
        return put_big64(at + 1, CHAINSI_LOAD(uint64_t, value));
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
    case CHAINSI_ENUM: {
        const chainsi_enumerator *found = chainsi_encoder_find_value(encoder, type, value);
        return found ? encode_name(encoder, at, found->name) : NULL;
    }
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

static uint8_t *encode_value(chainsi_encoder *encoder, uint8_t *at, const chainsi_type *type,
                             const void *value, unsigned depth)
{
    return encode_value_here(encoder, at, type, value, depth);
}

/* --------------------------------------------------------------------------------------------
 * arrays and maps */

static OUT_OF_LINE uint8_t *encode_list(chainsi_encoder *encoder, uint8_t *at,
                                        const chainsi_type *type, const chainsi_items *list,
                                        unsigned depth)
{
    if (!chainsi_encoder_enter(encoder, depth) || !chainsi_encoder_check_items(encoder, list))
        return NULL;
    const uint8_t *item = list->items;
    at = put_count(at, list->count, MSGPACK_FIXARRAY, MSGPACK_ARRAY16);
    if (type->item->kind == CHAINSI_DOUBLE) {
        at = chainsi_encoder_room(encoder, at, list->count * 9);
        for (size_t i = 0; i < list->count; i++, at += 9) {
            *at = MSGPACK_FLOAT64;
            put_big64(at + 1, CHAINSI_LOAD(uint64_t, item + i * sizeof(double)));
        }
        return at;
    }
    for (size_t i = 0; i < list->count; i++, item += type->item->size) {
        at = chainsi_encoder_room(encoder, at, LARGEST_HEAD);
        at = encode_value_here(encoder, at, type->item, item, depth + 1);
        if (__builtin_expect(!at, 0)) {
            chainsi_report_index(&encoder->report, i);
            return NULL;
        }
    }
    return at;
}

static OUT_OF_LINE uint8_t *encode_map(chainsi_encoder *encoder, uint8_t *at,
                                       const chainsi_type *type, const chainsi_items *map,
                                       unsigned depth)
{
    if (!chainsi_encoder_enter(encoder, depth) || !chainsi_encoder_check_items(encoder, map) ||
        !chainsi_encoder_check_keys(encoder, type, map))
        return NULL;
    const uint8_t *entry = map->items;
    at = put_count(at, map->count, MSGPACK_FIXMAP, MSGPACK_MAP16);
    for (size_t i = 0; i < map->count; i++, entry += type->entry_size) {
        const char *key = *(const chainsi_text *)entry;
        at = encode_name(encoder, at, key);
        if (at) {
            at = chainsi_encoder_room(encoder, at, LARGEST_HEAD);
            at = encode_value(encoder, at, type->item, entry + type->value_offset, depth + 1);
        }
        if (__builtin_expect(!at, 0)) {
            chainsi_report_key(&encoder->report, key);
            return NULL;
        }
    }
    return at;
}

static OUT_OF_LINE uint8_t *encode_struct(chainsi_encoder *encoder, uint8_t *at,
                                          const chainsi_type *type, const void *structure,
                                          unsigned depth)
{
    if (!chainsi_encoder_enter(encoder, depth))
        return NULL;
    const bool bin_keys = type == &chainsi_type_msgpack_tensor; /* as Python's library looks for */
    at = put_count(at, type->field_count, MSGPACK_FIXMAP, MSGPACK_MAP16);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const chainsi_field *field = &type->fields[i];
        const void *value = (const uint8_t *)structure + field->offset;
        at = chainsi_encoder_room(encoder, at, LARGEST_HEAD + field->name_size + LARGEST_HEAD);
        at = bin_keys ? put_bin_head(at, field->name_size) : put_str_head(at, field->name_size);
        chainsi_copy_short(at, field->name, field->name_size);
        at += field->name_size;
        if (chainsi_is_absent(field, value)) {
            *at++ = MSGPACK_NIL;
            continue;
        }
        at = encode_value_here(encoder, at, field->type, value, depth + 1);
        if (__builtin_expect(!at, 0)) {
            chainsi_report_field(&encoder->report, field->name);
            return NULL;
        }
    }
    return at;
}

chains_status chainsi_msgpack_encode(const chainsi_type *type, const void *value,
                                     chainsi_buffer *out, chainsi_codec_error *error)
{
    chainsi_encoder encoder;
    uint8_t *at = chainsi_encoder_begin(&encoder, out, error);
    return chainsi_encoder_end(&encoder, encode_value(&encoder, at, type, value, 0));
}

chains_status chainsi_msgpack_encode_shared(const chainsi_type *type, const void *value,
                                            chainsi_buffer *out, chainsi_attachments *attachments,
                                            chainsi_codec_error *error)
{
    chainsi_encoder encoder;
    uint8_t *at = chainsi_encoder_begin(&encoder, out, error);
    if (chainsi_share_wants(UINT32_MAX)) { /* enabled */
        encoder.attachments = attachments;
        encoder.largest_plain =
            atomic_load_explicit(&chainsi_share_least, memory_order_relaxed) - 1;
    }
    chains_status status =
        chainsi_encoder_end(&encoder, encode_value(&encoder, at, type, value, 0));
    if (status != CHAINS_OK)
        chainsi_attachments_done(attachments);
    return status;
}
