/* JSON straight into C values, in one pass.
 *
 * Invariants: nothing is read at or beyond reader.end; what is decoded is zeroed or wholly written;
 * functions return the place behind what they read, or NULL once an error is reported, and each level
 * adds its step to the path on the way out. In place, text is written to only behind the place that
 * was read already: a NUL over a string's closing quote, and the characters that escapes stand for. */
#include <math.h>

#include "schema/access.h"
#include "schema/base64.h"
#include "schema/json.h"
#include "schema/json_scan.h"
#include "schema/limits.h"
#include "schema/number.h"
#include "schema/pool.h"
#include "schema/scratch.h"
#include "schema/utf8.h"

/* As in msgpack_decode.c. */
#define OUT_OF_LINE __attribute__((noinline))
#define IN_LINE     inline __attribute__((always_inline))

struct decoder {
    chainsi_json_reader reader;
    chainsi_arena *arena;
    chainsi_pool pool; /* in the arena */
    bool in_place;
    chainsi_scratch scratch;
};

static const char *decode_value(struct decoder *decoder, const char *at, const chainsi_type *type,
                                void *value, unsigned depth);

static inline size_t offset_of(const struct decoder *decoder, const char *at)
{
    return (size_t)(at - decoder->reader.text);
}

static const char *expected_type(struct decoder *decoder, const char *at, const chainsi_type *type)
{
    char expected[CHAINSI_EXPECTED_SIZE];
    return chainsi_json_expected(&decoder->reader, at, chainsi_expected(expected, type));
}

/* --------------------------------------------------------------------------------------------
 * texts */

/* A string with escapes, or one that is wrong. */
static OUT_OF_LINE const char *decode_text_slow(struct decoder *decoder, const char *start,
                                                const char **text, size_t *size)
{
    bool escaped;
    const char *close = chainsi_json_scan_string(&decoder->reader, start, false, &escaped);
    if (!close)
        return NULL;
    char *out = decoder->in_place ? (char *)(uintptr_t)start
                                  : chainsi_pool_alloc(&decoder->pool, (size_t)(close - start) + 1);
    char *end = chainsi_json_unescape(out, start, close);
    *end = 0;
    *text = out;
    *size = (size_t)(end - out);
    return close + 1;
}

/* The string whose opening quote is at `at`, NUL-terminated. */
static inline const char *decode_text(struct decoder *decoder, const char *at, const char **text,
                                      size_t *size)
{
    const char *start = at + 1, *end = decoder->reader.end;
    bool high = false;
    const char *close = chainsi_json_find_special(start, end, &high);
    if (__builtin_expect(close == end || *close != '"' || high, 0)) {
        if (close == end || *close != '"')
            return decode_text_slow(decoder, start, text, size);
        if (chainsi_utf8_valid(start, (size_t)(close - start)) != (size_t)(close - start))
            return chainsi_json_bad_utf8(&decoder->reader, start, close);
    }
    *size = (size_t)(close - start);
    if (decoder->in_place) {
        *(char *)(uintptr_t)close = 0;
        *text = start;
    } else {
        char *out = chainsi_pool_alloc(&decoder->pool, *size + 1);
        chainsi_copy_short(out, start, *size);
        out[*size] = 0;
        *text = out;
    }
    return close + 1;
}

/* The same for a string that is looked at once: not NUL-terminated, copied only if it has escapes. */
static const char *decode_slice(struct decoder *decoder, const char *at, const char **text,
                                size_t *size)
{
    const char *start = at + 1;
    bool escaped;
    const char *close = chainsi_json_scan_string(&decoder->reader, start, true, &escaped);
    if (!close)
        return NULL;
    *text = start;
    *size = (size_t)(close - start);
    if (escaped) {
        char *out = chainsi_pool_alloc(&decoder->pool, *size);
        *text = out;
        *size = (size_t)(chainsi_json_unescape(out, start, close) - out);
    }
    return close + 1;
}

static OUT_OF_LINE const char *decode_bytes(struct decoder *decoder, const char *at,
                                            chains_bytes *bytes)
{
    const char *text;
    size_t size;
    if (at == decoder->reader.end || *at != '"')
        return chainsi_json_expected(&decoder->reader, at, "a string of base64");
    const char *behind = decode_slice(decoder, at, &text, &size);
    if (!behind)
        return NULL;
    uint8_t *data = chainsi_arena_alloc_sendable_raw(decoder->arena, size / 4 * 3);
    size_t fault = chainsi_base64_read(data, text, size, &bytes->size);
    if (fault != size) {
        bool unescaped = text == at + 1 && fault < size;
        const char *place = unescaped ? text + fault : fault > size ? behind - 1 : at;
        const char *why = fault > size ? "whole groups of four characters" : "characters of base64";
        char excerpt[CHAINSI_EXCERPT_SIZE];
        chainsi_report_fail(&decoder->reader.report, offset_of(decoder, place),
                            "expected a string of base64 with %s and padding, found %s", why,
                            chainsi_excerpt(excerpt, fault < size ? text + fault : text,
                                            fault < size ? size - fault : size));
        return NULL;
    }
    bytes->data = data;
    return behind;
}

static OUT_OF_LINE const char *decode_json(struct decoder *decoder, const char *at,
                                           chains_json *json, unsigned depth)
{
    const char *behind = chainsi_json_skip(&decoder->reader, at, depth);
    if (!behind)
        return NULL;
    json->size = (size_t)(behind - at);
    char *out = chainsi_pool_alloc(&decoder->pool, json->size + 1);
    memcpy(out, at, json->size);
    out[json->size] = 0;
    json->text = out;
    return behind;
}

/* --------------------------------------------------------------------------------------------
 * numbers */

static OUT_OF_LINE const char *decode_integer_slow(struct decoder *decoder, const char *at,
                                                   const chainsi_type *type, void *value)
{
    chainsi_decimal decimal;
    uint64_t magnitude;
    if (at == decoder->reader.end || !(*at == '-' || (*at >= '0' && *at <= '9')))
        return expected_type(decoder, at, type);
    if (!chainsi_decimal_read(at, decoder->reader.end, &decimal))
        return chainsi_json_expected(&decoder->reader, decimal.end, "a digit");
    if (chainsi_decimal_to_integer(&decimal, &magnitude) != CHAINSI_INTEGRAL ||
        !chainsi_store_integer(type->kind, value, decimal.negative, magnitude))
        return expected_type(decoder, at, type);
    return decimal.end;
}

static inline const char *decode_integer(struct decoder *decoder, const char *at,
                                         const chainsi_type *type, void *value)
{
    const char *digit = at, *end = decoder->reader.end;
    bool negative = digit < end && *digit == '-';
    digit += negative;
    const char *first = digit;
    uint64_t magnitude = 0;
    if (__builtin_expect(end - first > 16, 1)) {
        const unsigned count = chainsi_read_sixteen(first, &magnitude);
        digit = count < 16 ? first + count : end;
    } else {
        for (; digit < end && (uint8_t)(*digit - '0') < 10; digit++)
            magnitude = magnitude * 10 + (uint8_t)(*digit - '0');
    }
    /* Long ones, a leading zero, a point or an exponent are for the slow way. */
    if (__builtin_expect(digit == end || digit == first || *digit == '.' || (*digit | 32) == 'e' ||
                             (*first == '0' && digit - first > 1),
                         0))
        return decode_integer_slow(decoder, at, type, value);
    if (!chainsi_store_integer(type->kind, value, negative, magnitude))
        return expected_type(decoder, at, type);
    return digit;
}

static OUT_OF_LINE const char *decode_float(struct decoder *decoder, const char *at,
                                            const chainsi_type *type, void *value)
{
    chainsi_decimal decimal;
    if (at == decoder->reader.end || !(*at == '-' || (*at >= '0' && *at <= '9')))
        return chainsi_json_expected(&decoder->reader, at, "a number");
    if (!chainsi_decimal_read(at, decoder->reader.end, &decimal))
        return chainsi_json_expected(&decoder->reader, decimal.end, "a digit");
    if (type->kind == CHAINSI_DOUBLE) {
        double number = chainsi_decimal_to_double(&decimal);
        if (isinf(number))
            return expected_type(decoder, at, type);
        CHAINSI_STORE(double, value, number);
    } else {
        float number = chainsi_decimal_to_float(&decimal);
        if (isinf(number))
            return expected_type(decoder, at, type);
        CHAINSI_STORE(float, value, number);
    }
    return decimal.end;
}

/* --------------------------------------------------------------------------------------------
 * scalars */

static bool is_word(const struct decoder *decoder, const char *at, const char *word, size_t size)
{
    return (size_t)(decoder->reader.end - at) >= size && memcmp(at, word, size) == 0;
}

static const char *decode_bool(struct decoder *decoder, const char *at, const chainsi_type *type,
                               void *value)
{
    bool is_true = is_word(decoder, at, "true", 4);
    if (!is_true && !is_word(decoder, at, "false", 5))
        return expected_type(decoder, at, type);
    CHAINSI_STORE(bool, value, is_true);
    return at + (is_true ? 4 : 5);
}

static OUT_OF_LINE const char *decode_enum(struct decoder *decoder, const char *at,
                                           const chainsi_type *type, void *value)
{
    const char *name;
    size_t size;
    if (at == decoder->reader.end || *at != '"')
        return expected_type(decoder, at, type);
    const char *behind = decode_slice(decoder, at, &name, &size);
    if (!behind)
        return NULL;
    const chainsi_enumerator *found = chainsi_find_name(type, name, size);
    if (!found)
        return expected_type(decoder, at, type);
    chainsi_store_enum(type, value, found->value);
    return behind;
}

static OUT_OF_LINE const char *decode_tensor(struct decoder *decoder, const char *at,
                                             chains_tensor *tensor, unsigned depth)
{
    chainsi_json_tensor parts;
    size_t size;
    if (at == decoder->reader.end || *at != '{')
        return chainsi_json_expected(&decoder->reader, at,
                                     "a tensor: an object of data_b64, shape and dtype");
    const char *behind = decode_value(decoder, at, &chainsi_type_json_tensor, &parts, depth);
    if (!behind)
        return NULL;
    *tensor = (chains_tensor){
        .dtype = parts.dtype,
        .shape = parts.shape.items,
        .rank = parts.shape.count,
        .data = parts.data_b64.data,
    };
    return chainsi_tensor_check(&decoder->reader.report, offset_of(decoder, at), tensor,
                                parts.data_b64.size, &size)
               ? behind
               : NULL;
}

/* --------------------------------------------------------------------------------------------
 * any value */

static const char *decode_struct(struct decoder *decoder, const char *at, const chainsi_type *type,
                                 void *structure, unsigned depth);
static const char *decode_list(struct decoder *decoder, const char *at, const chainsi_type *type,
                               chainsi_items *list, unsigned depth);
static const char *decode_map(struct decoder *decoder, const char *at, const chainsi_type *type,
                              chainsi_items *map, unsigned depth);

static OUT_OF_LINE const char *decode_pointer(struct decoder *decoder, const char *at,
                                              const chainsi_type *type, chainsi_pointer *value,
                                              unsigned depth)
{
    void *target = chainsi_arena_alloc_raw(decoder->arena, type->item->size);
    at = decode_value(decoder, at, type->item, target, depth);
    if (at)
        *value = target;
    return at;
}

static IN_LINE const char *decode_value_here(struct decoder *decoder, const char *at,
                                             const chainsi_type *type, void *value, unsigned depth)
{
    switch (type->kind) {
    case CHAINSI_BOOL:
        return decode_bool(decoder, at, type, value);
    case CHAINSI_INT8:
    case CHAINSI_INT16:
    case CHAINSI_INT32:
    case CHAINSI_INT64:
    case CHAINSI_UINT8:
    case CHAINSI_UINT16:
    case CHAINSI_UINT32:
    case CHAINSI_UINT64:
        return decode_integer(decoder, at, type, value);
    case CHAINSI_DOUBLE: {
        double number;
        const char *behind = chainsi_read_double(at, decoder->reader.end, &number);
        if (__builtin_expect(behind != NULL, 1)) {
            CHAINSI_STORE(double, value, number);
            return behind;
        }
        return decode_float(decoder, at, type, value);
    }
    case CHAINSI_FLOAT:
        return decode_float(decoder, at, type, value);
    case CHAINSI_STRING: {
        const char *text;
        size_t size;
        if (at == decoder->reader.end || *at != '"')
            return expected_type(decoder, at, type);
        at = decode_text(decoder, at, &text, &size);
        if (at)
            *(chainsi_text *)value = text;
        return at;
    }
    case CHAINSI_BYTES:
        return decode_bytes(decoder, at, value);
    case CHAINSI_JSON:
        return decode_json(decoder, at, value, depth);
    case CHAINSI_TENSOR:
        return decode_tensor(decoder, at, value, depth);
    case CHAINSI_ENUM:
        return decode_enum(decoder, at, type, value);
    case CHAINSI_STRUCT:
        return decode_struct(decoder, at, type, value, depth);
    case CHAINSI_LIST:
        return decode_list(decoder, at, type, value, depth);
    case CHAINSI_MAP:
        return decode_map(decoder, at, type, value, depth);
    case CHAINSI_POINTER:
        return decode_pointer(decoder, at, type, value, depth);
    }
    __builtin_unreachable();
}

static const char *decode_value(struct decoder *decoder, const char *at, const chainsi_type *type,
                                void *value, unsigned depth)
{
    return decode_value_here(decoder, at, type, value, depth);
}

/* --------------------------------------------------------------------------------------------
 * arrays and objects */

static OUT_OF_LINE const char *decode_list(struct decoder *decoder, const char *at,
                                           const chainsi_type *type, chainsi_items *list,
                                           unsigned depth)
{
    const char *end = decoder->reader.end;
    const chainsi_type *item_type = type->item;
    const size_t item_size = item_type->size;
    if (at == end || *at != '[')
        return expected_type(decoder, at, type);
    if (depth >= CHAINSI_MAX_DEPTH)
        return chainsi_json_too_deep(&decoder->reader, at);
    *list = (chainsi_items){ NULL, 0 };
    at = chainsi_json_skip_space(at + 1, end);
    if (at < end && *at == ']')
        return at + 1;
    chainsi_scratch_mark mark = chainsi_scratch_begin(&decoder->scratch);
    size_t count = 0;
    for (;;) {
        if (count == CHAINSI_MAX_ITEMS) {
            chainsi_report_fail(&decoder->reader.report, offset_of(decoder, at),
                                "expected at most %zu items, found more", CHAINSI_MAX_ITEMS);
            return NULL;
        }
        void *item = chainsi_scratch_push(&decoder->scratch, item_size);
        at = decode_value_here(decoder, at, item_type, item, depth + 1);
        if (__builtin_expect(!at, 0)) {
            chainsi_report_index(&decoder->reader.report, count);
            return NULL;
        }
        count++;
        at = chainsi_json_skip_space(at, end);
        if (at < end && *at == ',')
            at = chainsi_json_skip_space(at + 1, end);
        else if (at < end && *at == ']')
            break;
        else
            return chainsi_json_expected(&decoder->reader, at, "',' or ']'");
    }
    list->items = chainsi_arena_alloc_raw(decoder->arena, count * item_size);
    list->count = count;
    chainsi_scratch_end(&decoder->scratch, mark, list->items);
    return at + 1;
}

/* Reports that key `index` of the object at `start` was there before. */
static const char *report_repeated_key(struct decoder *decoder, const char *start, size_t index,
                                       const char *key)
{
    chainsi_json_reader *reader = &decoder->reader;
    char excerpt[CHAINSI_EXCERPT_SIZE];
    const char *at;
    if (decoder->in_place) {
        at = key - 1;
    } else { /* the object is known to be right: count */
        bool escaped;
        at = chainsi_json_skip_space(start + 1, reader->end);
        for (size_t i = 0; i < index; i++) {
            at = chainsi_json_scan_string(reader, at + 1, true, &escaped) + 1;
            at = chainsi_json_skip_space(at, reader->end);
            at = chainsi_json_skip(reader, chainsi_json_skip_space(at + 1, reader->end), 0);
            at = chainsi_json_skip_space(at, reader->end);
            at = chainsi_json_skip_space(at + 1, reader->end);
        }
    }
    chainsi_report_fail(&reader->report, offset_of(decoder, at),
                        "expected every key once, found %s again",
                        chainsi_excerpt(excerpt, key, strlen(key)));
    chainsi_report_key(&reader->report, key);
    return NULL;
}

static OUT_OF_LINE const char *decode_map(struct decoder *decoder, const char *at,
                                          const chainsi_type *type, chainsi_items *map,
                                          unsigned depth)
{
    const char *end = decoder->reader.end, *start = at;
    if (at == end || *at != '{')
        return expected_type(decoder, at, type);
    if (depth >= CHAINSI_MAX_DEPTH)
        return chainsi_json_too_deep(&decoder->reader, at);
    *map = (chainsi_items){ NULL, 0 };
    at = chainsi_json_skip_space(at + 1, end);
    if (at < end && *at == '}')
        return at + 1;
    chainsi_scratch_mark mark = chainsi_scratch_begin(&decoder->scratch);
    size_t count = 0;
    for (;;) {
        if (count == CHAINSI_MAX_ITEMS) {
            chainsi_report_fail(&decoder->reader.report, offset_of(decoder, at),
                                "expected at most %zu keys, found more", CHAINSI_MAX_ITEMS);
            return NULL;
        }
        uint8_t *entry = chainsi_scratch_push(&decoder->scratch, type->entry_size);
        const char *key;
        size_t key_size;
        if (at == end || *at != '"')
            return chainsi_json_expected(&decoder->reader, at, "a key");
        at = decode_text(decoder, at, &key, &key_size);
        if (!at)
            return NULL;
        *(chainsi_text *)entry = key;
        at = chainsi_json_skip_space(at, end);
        if (at == end || *at != ':')
            return chainsi_json_expected(&decoder->reader, at, "':'");
        at = decode_value(decoder, chainsi_json_skip_space(at + 1, end), type->item,
                          entry + type->value_offset, depth + 1);
        if (__builtin_expect(!at, 0)) {
            chainsi_report_key(&decoder->reader.report, key);
            return NULL;
        }
        count++;
        at = chainsi_json_skip_space(at, end);
        if (at < end && *at == ',')
            at = chainsi_json_skip_space(at + 1, end);
        else if (at < end && *at == '}')
            break;
        else
            return chainsi_json_expected(&decoder->reader, at, "',' or '}'");
    }
    map->items = chainsi_arena_alloc_raw(decoder->arena, count * type->entry_size);
    map->count = count;
    chainsi_scratch_end(&decoder->scratch, mark, map->items);
    size_t repeated = chainsi_find_repeated_key(map->items, count, type->entry_size);
    if (repeated < count)
        return report_repeated_key(decoder, start, repeated,
                                   *(chainsi_text *)(map->items + repeated * type->entry_size));
    return at + 1;
}

static IN_LINE const char *decode_field(struct decoder *decoder, const char *at,
                                        const chainsi_field *field, void *structure, unsigned depth)
{
    void *value = (uint8_t *)structure + field->offset;
    if (field->optional && is_word(decoder, at, "null", 4))
        return at + 4; /* the structure was zeroed */
    const char *behind = decode_value_here(decoder, at, field->type, value, depth);
    if (__builtin_expect(behind && field->limits, 0) &&
        !chainsi_limits_check(&decoder->reader.report, offset_of(decoder, at), field->limits,
                              field->type, value))
        return NULL;
    return behind;
}

static OUT_OF_LINE const char *decode_struct(struct decoder *decoder, const char *at,
                                             const chainsi_type *type, void *structure,
                                             unsigned depth)
{
    const char *end = decoder->reader.end;
    if (at == end || *at != '{')
        return expected_type(decoder, at, type);
    if (depth >= CHAINSI_MAX_DEPTH)
        return chainsi_json_too_deep(&decoder->reader, at);
    chainsi_zero_short(structure, type->size);
    uint64_t few_seen = 0, *seen = &few_seen;
    if (type->field_count > 64)
        seen = chainsi_arena_alloc(decoder->arena, (type->field_count / 64 + 1) * sizeof *seen);
    uint32_t next = 0, count = 0; /* next: the field that is expected */
    at = chainsi_json_skip_space(at + 1, end);
    if (at < end && *at == '}')
        goto complete;
    for (;;) {
        if (at == end || *at != '"')
            return chainsi_json_expected(&decoder->reader, at, "a key");
        const char *key_at = at;
        const chainsi_field *field = &type->fields[next];
        if (__builtin_expect(next < type->field_count &&
                                 (size_t)(end - at) > (size_t)field->name_size + 2 &&
                                 at[field->name_size + 1] == '"' &&
                                 chainsi_same_bytes(at + 1, field->name, field->name_size),
                             1)) {
            at += field->name_size + 2;
        } else {
            const char *name;
            size_t size;
            at = decode_slice(decoder, at, &name, &size);
            if (!at)
                return NULL;
            field = chainsi_find_field(type, name, size, next);
        }
        at = chainsi_json_skip_space(at, end);
        if (at == end || *at != ':')
            return chainsi_json_expected(&decoder->reader, at, "':'");
        at = chainsi_json_skip_space(at + 1, end);
        if (!field) {
            at = chainsi_json_skip(&decoder->reader, at, depth + 1);
            if (!at)
                return NULL;
        } else {
            uint32_t index = (uint32_t)(field - type->fields);
            uint64_t bit = UINT64_C(1) << (index % 64);
            if (__builtin_expect((seen[index / 64] & bit) != 0, 0)) {
                chainsi_report_fail(&decoder->reader.report, offset_of(decoder, key_at),
                                    "expected every key once, found \"%s\" again", field->name);
                at = NULL;
            } else {
                seen[index / 64] |= bit;
                count++;
                next = index + 1;
                at = decode_field(decoder, at, field, structure, depth + 1);
            }
            if (__builtin_expect(!at, 0)) {
                chainsi_report_field(&decoder->reader.report, field->name);
                return NULL;
            }
        }
        at = chainsi_json_skip_space(at, end);
        if (at < end && *at == ',')
            at = chainsi_json_skip_space(at + 1, end);
        else if (at < end && *at == '}')
            break;
        else
            return chainsi_json_expected(&decoder->reader, at, "',' or '}'");
    }
complete:
    if (count < type->field_count &&
        !chainsi_set_absent_fields(&decoder->reader.report, offset_of(decoder, at), type, structure,
                                   seen))
        return NULL;
    return at + 1;
}

static chains_status decode(const chainsi_type *type, const char *text, size_t size,
                            chainsi_arena *arena, void *value, chainsi_codec_error *error,
                            bool in_place)
{
    chainsi_codec_error unwanted;
    struct decoder decoder;
    decoder.reader.text = size ? text : "";
    decoder.reader.end = decoder.reader.text + size;
    chainsi_report_init(&decoder.reader.report, error ? error : &unwanted);
    decoder.arena = arena;
    decoder.pool = (chainsi_pool){ .arena = arena };
    decoder.in_place = in_place;
    chainsi_scratch_init(&decoder.scratch);
    void *decoded = chainsi_arena_alloc_raw(arena, type->size);
    const char *at =
        decode_value(&decoder, chainsi_json_skip_space(decoder.reader.text, decoder.reader.end),
                     type, decoded, 0);
    bool complete = at && chainsi_json_at_end(&decoder.reader, at);
    chainsi_scratch_done(&decoder.scratch);
    chainsi_pool_done(&decoder.pool);
    if (!complete)
        return chainsi_report_finish(&decoder.reader.report);
    chainsi_copy_short(value, decoded, type->size);
    return CHAINS_OK;
}

chains_status chainsi_json_decode(const chainsi_type *type, const char *text, size_t size,
                                  chainsi_arena *arena, void *value, chainsi_codec_error *error)
{
    return decode(type, text, size, arena, value, error, false);
}

chains_status chainsi_json_decode_in_place(const chainsi_type *type, char *text, size_t size,
                                           chainsi_arena *arena, void *value,
                                           chainsi_codec_error *error)
{
    return decode(type, text, size, arena, value, error, true);
}
