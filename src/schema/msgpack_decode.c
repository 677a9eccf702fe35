/* MessagePack straight into C values, in one pass.
 *
 * Invariants: as in json_decode.c. In place, a string's NUL takes the place of the first byte of what
 * follows, once that was read (reader.pending), so that strings are neither moved nor copied; only a
 * string at the very end is. */
#include <math.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "schema/access.h"
#include "schema/limits.h"
#include "schema/msgpack.h"
#include "schema/msgpack_scan.h"
#include "schema/pool.h"
#include "schema/scratch.h"
#include "schema/utf8.h"

enum {
    /* Arrays of larger items, larger than this, get memory as their items come. */
    SMALL_ITEM = 16,
    SMALL_ARRAY = 1024 * 1024,
    TENSOR_ALIGNMENT = 8,
};

/* A value is told apart where it stands, in the loops over fields and items; what takes longer than the
 * telling is a function of its own. */
#define OUT_OF_LINE __attribute__((noinline))
#define IN_LINE     inline __attribute__((always_inline))

struct decoder {
    chainsi_msgpack_reader reader;
    chainsi_arena *arena;
    chainsi_pool pool; /* in the arena */
    bool in_place;
    chainsi_attachments *attachments; /* what references may name; NULL: there are none */
    chainsi_buffer json;              /* owned: where chains_json is put together */
    chainsi_scratch scratch;
};

static const uint8_t *decode_value(struct decoder *decoder, const uint8_t *at,
                                   const chainsi_type *type, void *value, unsigned depth);

static inline size_t offset_of(const struct decoder *decoder, const uint8_t *at)
{
    return (size_t)(at - decoder->reader.data);
}

/* --------------------------------------------------------------------------------------------
 * texts and bytes */

/* True if all bytes lie from 0x01 to 0x7f. */
static inline bool is_plain(const uint8_t *text, size_t size)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
#ifdef __SSE2__
    if (size >= 16) {
        const __m128i zero = _mm_setzero_si128();
        for (size_t i = 0;;) {
            __m128i bytes = _mm_loadu_si128((const __m128i *)(text + i));
            /* Signed: what is above ASCII is negative. */
            if (_mm_movemask_epi8(_mm_cmpgt_epi8(bytes, zero)) != 0xffff)
                return false;
            i += 16;
            if (i == size)
                return true;
            if (size - i < 16)
                i = size - 16;
        }
    }
#endif
    if (size >= 8) {
        for (size_t i = 0;;) {
            uint64_t bytes;
            memcpy(&bytes, text + i, 8);
            if ((bytes | (bytes - ones)) & tops)
                return false;
            i += 8;
            if (i == size)
                return true;
            if (size - i < 8)
                i = size - 8;
        }
    }
    if (size >= 4) {
        uint32_t low, high;
        memcpy(&low, text, 4);
        memcpy(&high, text + size - 4, 4);
        uint64_t bytes = (uint64_t)high << 32 | low;
        return !((bytes | (bytes - ones)) & tops);
    }
    for (size_t i = 0; i < size; i++)
        if ((uint8_t)(text[i] - 1) >= 0x7f)
            return false;
    return true;
}

/* What the reference at `at` names. If it is none, NULL with nothing reported, and *other is true. */
static const uint8_t *decode_reference(struct decoder *decoder, const uint8_t *at, uint8_t first,
                                       bool text, const void **content, size_t *size, bool *other)
{
    chainsi_msgpack_reader *reader = &decoder->reader;
    *other = !decoder->attachments || first != MSGPACK_FIXEXT16 || reader->end - at < 2 ||
             at[1] != MSGPACK_REFERENCE;
    if (*other)
        return NULL;
    if (reader->end - at < MSGPACK_REFERENCE_SIZE)
        return chainsi_msgpack_cut_short(reader, "the rest of a reference");
    chainsi_reference reference = {
        .attachment = chainsi_load_big32(at + 2),
        .size = chainsi_load_big32(at + 6),
        .offset = chainsi_load_big64(at + 10),
    };
    const char *why;
    *content = chainsi_attachments_find(decoder->attachments, &reference, text, &why);
    *size = reference.size;
    if (!*content) {
        chainsi_report_fail(&reader->report, offset_of(decoder, at), "expected %s, found %s",
                            text ? "a string" : "bytes", why);
        return NULL;
    }
    return at + MSGPACK_REFERENCE_SIZE;
}

/* Text that is no string: in an attachment, or an error. */
static const uint8_t *decode_text_elsewhere(struct decoder *decoder, const uint8_t *at,
                                            uint8_t first, const char **text)
{
    chainsi_msgpack_reader *reader = &decoder->reader;
    const void *content;
    size_t size;
    bool other;
    const uint8_t *behind = decode_reference(decoder, at, first, true, &content, &size, &other);
    if (other)
        return chainsi_msgpack_expected_type(reader, at, first, &chainsi_type_string);
    if (behind && !is_plain(content, size)) {
        size_t valid = chainsi_utf8_valid(content, size);
        if (valid < size || memchr(content, 0, size)) {
            chainsi_report_fail(&reader->report, offset_of(decoder, at),
                                valid < size ? "expected a string in valid UTF-8, found another "
                                               "byte at %zu of an attached one"
                                             : "expected text without U+0000, found it in an "
                                               "attached one of %zu bytes",
                                valid);
            return NULL;
        }
    }
    *text = content;
    return behind;
}

/* Text without U+0000, NUL-terminated. A name lies in the data itself. */
static inline const uint8_t *decode_text(struct decoder *decoder, const uint8_t *at, bool name,
                                         const char **text)
{
    static const chainsi_type *const type = &chainsi_type_string;
    chainsi_msgpack_reader *reader = &decoder->reader;
    size_t size;
    bool other;
    if (at == reader->end)
        return chainsi_msgpack_cut_short(reader, "a string");
    const uint8_t first = chainsi_msgpack_first(reader, at);
    const uint8_t *content;
    if (__builtin_expect((first & 0xe0) == MSGPACK_FIXSTR &&
                             (size_t)(reader->end - at) > (size_t)(first & 31),
                         1)) {
        content = at + 1;
        size = first & 31;
    } else {
        content = chainsi_msgpack_read_str(reader, at, first, &size, &other);
        if (!content && other && !name)
            return decode_text_elsewhere(decoder, at, first, text);
        if (!content)
            return other ? chainsi_msgpack_expected_type(reader, at, first, type) : NULL;
    }
    if (__builtin_expect(!is_plain(content, size), 0) &&
        (memchr(content, 0, size) || chainsi_utf8_valid((const char *)content, size) != size))
        return chainsi_msgpack_bad_utf8(reader, content, size);
    if (decoder->in_place && content + size < reader->end) {
        reader->pending = (uint8_t *)(uintptr_t)content + size;
        *text = (const char *)content;
    } else {
        char *copy = chainsi_pool_alloc(&decoder->pool, size + 1);
        chainsi_copy_short(copy, content, size);
        copy[size] = 0;
        *text = copy;
    }
    return content + size;
}

/* A name: str or bin, to be looked at before the next value is read. */
static const uint8_t *decode_name(struct decoder *decoder, const uint8_t *at, uint8_t first,
                                  const char *expected, const uint8_t **name, size_t *size)
{
    bool other;
    *name = chainsi_msgpack_read_str(&decoder->reader, at, first, size, &other);
    if (other)
        *name = chainsi_msgpack_read_bin(&decoder->reader, at, first, size, &other);
    if (other)
        return chainsi_msgpack_expected(&decoder->reader, at, first, expected);
    return *name ? *name + *size : NULL;
}

static OUT_OF_LINE const uint8_t *decode_bytes(struct decoder *decoder, const uint8_t *at,
                                               uint8_t first, chains_bytes *bytes)
{
    size_t size;
    bool other;
    const uint8_t *content = chainsi_msgpack_read_bin(&decoder->reader, at, first, &size, &other);
    if (!content && other) {
        const uint8_t *behind =
            decode_reference(decoder, at, first, false, &bytes->data, &bytes->size, &other);
        if (!other)
            return behind;
    }
    if (!content)
        return other ? chainsi_msgpack_expected(&decoder->reader, at, first, "bytes") : NULL;
    bytes->size = size;
    bytes->data = content;
    if (!decoder->in_place) {
        uint8_t *copy = chainsi_arena_alloc_raw(decoder->arena, size);
        memcpy(copy, content, size);
        bytes->data = copy;
    }
    return content + size;
}

static OUT_OF_LINE const uint8_t *decode_json(struct decoder *decoder, const uint8_t *at,
                                              chains_json *json, unsigned depth)
{
    decoder->json.size = 0;
    at = chainsi_msgpack_to_json(&decoder->reader, at, &decoder->json, depth);
    if (!at)
        return NULL;
    json->size = decoder->json.size;
    char *copy = chainsi_pool_alloc(&decoder->pool, json->size + 1);
    memcpy(copy, decoder->json.data, json->size);
    copy[json->size] = 0;
    json->text = copy;
    return at;
}

/* --------------------------------------------------------------------------------------------
 * scalars */

/* Floats that are integers, numbers at the very end, and what is none. */
static OUT_OF_LINE const uint8_t *decode_integer_slow(struct decoder *decoder, const uint8_t *at,
                                                      uint8_t first, const chainsi_type *type,
                                                      void *value)
{
    chainsi_msgpack_value number;
    const uint8_t *behind = chainsi_msgpack_read_number(&decoder->reader, at, first, type, &number);
    if (!behind)
        return NULL;
    if (number.form != CHAINSI_MSGPACK_INTEGER) {
        double magnitude = fabs(number.number);
        if (!(magnitude < 0x1p64) || magnitude != floor(magnitude))
            return chainsi_msgpack_expected_type(&decoder->reader, at, first, type);
        number.negative = number.number < 0;
        number.magnitude = (uint64_t)magnitude;
    }
    if (!chainsi_store_integer(type->kind, value, number.negative, number.magnitude))
        return chainsi_msgpack_expected_type(&decoder->reader, at, first, type);
    return behind;
}

static inline const uint8_t *decode_integer(struct decoder *decoder, const uint8_t *at,
                                            uint8_t first, const chainsi_type *type, void *value)
{
    const uint8_t *behind = at + 1;
    uint64_t magnitude = first;
    bool negative = false;
    if (first >= MSGPACK_UINT8 && first <= MSGPACK_INT64 && decoder->reader.end - at > 8) {
        /* Any width in one way: they come in no order, and a wrong guess costs more. */
        const unsigned bytes = 1u << (first & 3), unused = 64 - 8 * bytes;
        const uint64_t bits = chainsi_load_big64(at + 1);
        const int64_t number = (int64_t)bits >> unused;
        negative = first >= MSGPACK_INT8 && number < 0;
        magnitude = negative ? 0 - (uint64_t)number : bits >> unused;
        behind += bytes;
    } else if (first >= MSGPACK_NEGATIVE) {
        negative = true;
        magnitude = 256u - first;
    } else if (first >= MSGPACK_FIXMAP) {
        return decode_integer_slow(decoder, at, first, type, value);
    }
    if (__builtin_expect(!chainsi_store_integer(type->kind, value, negative, magnitude), 0))
        return chainsi_msgpack_expected_type(&decoder->reader, at, first, type);
    return behind;
}

static OUT_OF_LINE const uint8_t *decode_float(struct decoder *decoder, const uint8_t *at,
                                               uint8_t first, const chainsi_type *type, void *value)
{
    chainsi_msgpack_value number;
    const uint8_t *behind = chainsi_msgpack_read_number(&decoder->reader, at, first, type, &number);
    if (!behind)
        return NULL;
    if (type->kind == CHAINSI_DOUBLE) {
        double magnitude =
            number.form == CHAINSI_MSGPACK_INTEGER ? (double)number.magnitude : number.number;
        CHAINSI_STORE(double, value, number.negative ? -magnitude : magnitude);
        return behind;
    }
    float narrow =
        number.form == CHAINSI_MSGPACK_INTEGER ? (float)number.magnitude : (float)number.number;
    if (isinf(narrow) && !isinf(number.number))
        return chainsi_msgpack_expected_type(&decoder->reader, at, first, type);
    CHAINSI_STORE(float, value, number.negative ? -narrow : narrow);
    return behind;
}

static OUT_OF_LINE const uint8_t *decode_enum(struct decoder *decoder, const uint8_t *at,
                                              uint8_t first, const chainsi_type *type, void *value)
{
    const uint8_t *name;
    size_t size;
    char expected[CHAINSI_EXPECTED_SIZE];
    const uint8_t *behind =
        decode_name(decoder, at, first, chainsi_expected(expected, type), &name, &size);
    if (!behind)
        return NULL;
    const chainsi_enumerator *found = chainsi_find_name(type, (const char *)name, size);
    if (!found)
        return chainsi_msgpack_expected_type(&decoder->reader, at, first, type);
    chainsi_store_enum(type, value, found->value);
    return behind;
}

static OUT_OF_LINE const uint8_t *decode_tensor(struct decoder *decoder, const uint8_t *at,
                                                chains_tensor *tensor, unsigned depth)
{
    chainsi_msgpack_tensor parts;
    size_t size;
    const uint8_t *behind = decode_value(decoder, at, &chainsi_type_msgpack_tensor, &parts, depth);
    if (!behind)
        return NULL;
    *tensor = (chains_tensor){
        .dtype = parts.type,
        .shape = parts.shape.items,
        .rank = parts.shape.count,
        .data = parts.data.data,
    };
    if ((uintptr_t)tensor->data % TENSOR_ALIGNMENT) { /* where it lies in the message */
        uint8_t *copy = chainsi_arena_alloc_raw(decoder->arena, parts.data.size);
        memcpy(copy, parts.data.data, parts.data.size);
        tensor->data = copy;
    }
    if (!parts.nd && tensor->rank) {
        chainsi_report_fail(&decoder->reader.report, offset_of(decoder, at),
                            "expected no shape where nd is false, found %zu dimensions",
                            tensor->rank);
        return NULL;
    }
    return chainsi_tensor_check(&decoder->reader.report, offset_of(decoder, at), tensor,
                                parts.data.size, &size)
               ? behind
               : NULL;
}

/* --------------------------------------------------------------------------------------------
 * any value */

static const uint8_t *decode_struct(struct decoder *decoder, const uint8_t *at, uint8_t first,
                                    const chainsi_type *type, void *structure, unsigned depth);
static const uint8_t *decode_list(struct decoder *decoder, const uint8_t *at, uint8_t first,
                                  const chainsi_type *type, chainsi_items *list, unsigned depth);
static const uint8_t *decode_map(struct decoder *decoder, const uint8_t *at, uint8_t first,
                                 const chainsi_type *type, chainsi_items *map, unsigned depth);

static OUT_OF_LINE const uint8_t *decode_pointer(struct decoder *decoder, const uint8_t *at,
                                                 const chainsi_type *type, chainsi_pointer *value,
                                                 unsigned depth)
{
    void *target = chainsi_arena_alloc_raw(decoder->arena, type->item->size);
    at = decode_value(decoder, at, type->item, target, depth);
    if (at)
        *value = target;
    return at;
}

static IN_LINE const uint8_t *decode_value_here(struct decoder *decoder, const uint8_t *at,
                                                const chainsi_type *type, void *value,
                                                unsigned depth)
{
    chainsi_msgpack_reader *reader = &decoder->reader;
    switch (type->kind) { /* those that read their first byte themselves */
    case CHAINSI_STRING: {
        const char *text;
        at = decode_text(decoder, at, false, &text);
        if (at)
            *(chainsi_text *)value = text;
        return at;
    }
    case CHAINSI_JSON:
        return decode_json(decoder, at, value, depth);
    case CHAINSI_TENSOR:
        return decode_tensor(decoder, at, value, depth);
    case CHAINSI_POINTER:
        return decode_pointer(decoder, at, type, value, depth);
    default:
        break;
    }
    if (at == reader->end) {
        char expected[CHAINSI_EXPECTED_SIZE];
        return chainsi_msgpack_cut_short(reader, chainsi_expected(expected, type));
    }
    const uint8_t first = chainsi_msgpack_first(reader, at);
    switch (type->kind) {
    case CHAINSI_BOOL:
        if (first != MSGPACK_FALSE && first != MSGPACK_TRUE)
            return chainsi_msgpack_expected_type(reader, at, first, type);
        CHAINSI_STORE(bool, value, first == MSGPACK_TRUE);
        return at + 1;
    case CHAINSI_INT8:
    case CHAINSI_INT16:
    case CHAINSI_INT32:
    case CHAINSI_INT64:
    case CHAINSI_UINT8:
    case CHAINSI_UINT16:
    case CHAINSI_UINT32:
    case CHAINSI_UINT64:
        return decode_integer(decoder, at, first, type, value);
    case CHAINSI_DOUBLE:
        if (__builtin_expect(first == MSGPACK_FLOAT64 && reader->end - at > 8, 1)) {
            CHAINSI_STORE(uint64_t, value, chainsi_load_big64(at + 1));
            return at + 9;
        }
        return decode_float(decoder, at, first, type, value);
    case CHAINSI_FLOAT:
        return decode_float(decoder, at, first, type, value);
    case CHAINSI_BYTES:
        return decode_bytes(decoder, at, first, value);
    case CHAINSI_ENUM:
        return decode_enum(decoder, at, first, type, value);
    case CHAINSI_STRUCT:
        return decode_struct(decoder, at, first, type, value, depth);
    case CHAINSI_LIST:
        return decode_list(decoder, at, first, type, value, depth);
    case CHAINSI_MAP:
        return decode_map(decoder, at, first, type, value, depth);
    default:
        __builtin_unreachable();
    }
}

static const uint8_t *decode_value(struct decoder *decoder, const uint8_t *at,
                                   const chainsi_type *type, void *value, unsigned depth)
{
    return decode_value_here(decoder, at, type, value, depth);
}

/* --------------------------------------------------------------------------------------------
 * arrays and maps */

static OUT_OF_LINE const uint8_t *decode_list(struct decoder *decoder, const uint8_t *at,
                                              uint8_t first, const chainsi_type *type,
                                              chainsi_items *list, unsigned depth)
{
    chainsi_msgpack_reader *reader = &decoder->reader;
    const chainsi_type *item_type = type->item;
    const size_t item_size = item_type->size;
    size_t count;
    bool other;
    const uint8_t *start = at;
    at = chainsi_msgpack_enter_array(reader, at, first, &count, &other);
    if (!at)
        return other ? chainsi_msgpack_expected_type(reader, start, first, type) : NULL;
    if (depth >= CHAINSI_MAX_DEPTH)
        return chainsi_msgpack_too_deep(reader, start);
    *list = (chainsi_items){ NULL, count };
    if (!count)
        return at;
    /* The bytes that are left bear out the count, but items may be large in memory. */
    const bool collect = item_size > SMALL_ITEM && count > SMALL_ARRAY / item_size;
    chainsi_scratch_mark mark = { 0 };
    if (collect)
        mark = chainsi_scratch_begin(&decoder->scratch);
    else
        list->items = chainsi_arena_alloc_raw(decoder->arena, count * item_size);
    reader->reserved += count;
    for (size_t i = 0; i < count; i++) {
        void *item = collect ? chainsi_scratch_push(&decoder->scratch, item_size)
                             : list->items + i * item_size;
        reader->reserved--;
        at = decode_value_here(decoder, at, item_type, item, depth + 1);
        if (__builtin_expect(!at, 0)) {
            chainsi_report_index(&reader->report, i);
            return NULL;
        }
    }
    if (collect) {
        list->items = chainsi_arena_alloc_raw(decoder->arena, count * item_size);
        chainsi_scratch_end(&decoder->scratch, mark, list->items);
    }
    return at;
}

/* Reports that key `index` of the map whose entries begin at `at` was there before. */
static const uint8_t *report_repeated_key(struct decoder *decoder, const uint8_t *at, size_t index,
                                          const char *key)
{
    chainsi_msgpack_reader *reader = &decoder->reader;
    char excerpt[CHAINSI_EXCERPT_SIZE];
    size_t offset;
    if (decoder->in_place) { /* the text lies in the data, behind 1, 2, 3 or 5 bytes */
        size_t size = strlen(key);
        offset = (size_t)((const uint8_t *)key - reader->data) - (size < 32      ? 1
                                                                  : size < 256   ? 2
                                                                  : size < 65536 ? 3
                                                                                 : 5);
    } else { /* the map is known to be right: count */
        reader->reserved = 0;
        for (size_t i = 0; i < index * 2; i++)
            at = chainsi_msgpack_skip(reader, at, 0);
        offset = offset_of(decoder, at);
    }
    chainsi_report_fail(&reader->report, offset, "expected every key once, found %s again",
                        chainsi_excerpt(excerpt, key, strlen(key)));
    chainsi_report_key(&reader->report, key);
    return NULL;
}

static OUT_OF_LINE const uint8_t *decode_map(struct decoder *decoder, const uint8_t *at,
                                             uint8_t first, const chainsi_type *type,
                                             chainsi_items *map, unsigned depth)
{
    chainsi_msgpack_reader *reader = &decoder->reader;
    const size_t entry_size = type->entry_size;
    size_t count;
    bool other;
    const uint8_t *start = at;
    at = chainsi_msgpack_enter_map(reader, at, first, &count, &other);
    if (!at)
        return other ? chainsi_msgpack_expected_type(reader, start, first, type) : NULL;
    if (depth >= CHAINSI_MAX_DEPTH)
        return chainsi_msgpack_too_deep(reader, start);
    *map = (chainsi_items){ NULL, count };
    if (!count)
        return at;
    const uint8_t *entries = at;
    chainsi_scratch_mark mark = chainsi_scratch_begin(&decoder->scratch);
    reader->reserved += count * 2;
    for (size_t i = 0; i < count; i++) {
        uint8_t *entry = chainsi_scratch_push(&decoder->scratch, entry_size);
        const char *key;
        reader->reserved--;
        at = decode_text(decoder, at, true, &key);
        if (!at)
            return NULL;
        *(chainsi_text *)entry = key;
        reader->reserved--;
        at = decode_value(decoder, at, type->item, entry + type->value_offset, depth + 1);
        if (__builtin_expect(!at, 0)) {
            /* In place the key's NUL may still be due. */
            *reader->pending = 0;
            chainsi_report_key(&reader->report, key);
            return NULL;
        }
    }
    map->items = chainsi_arena_alloc_raw(decoder->arena, count * entry_size);
    chainsi_scratch_end(&decoder->scratch, mark, map->items);
    size_t repeated = chainsi_find_repeated_key(map->items, count, entry_size);
    if (repeated < count)
        return report_repeated_key(decoder, entries, repeated,
                                   *(chainsi_text *)(map->items + repeated * entry_size));
    return at;
}

static IN_LINE const uint8_t *decode_field(struct decoder *decoder, const uint8_t *at,
                                           const chainsi_field *field, void *structure,
                                           unsigned depth)
{
    void *value = (uint8_t *)structure + field->offset;
    if (field->optional && at < decoder->reader.end && *at == MSGPACK_NIL) {
        chainsi_msgpack_first(&decoder->reader, at);
        return at + 1; /* the structure was zeroed */
    }
    const uint8_t *behind = decode_value_here(decoder, at, field->type, value, depth);
    if (__builtin_expect(behind && field->limits, 0)) {
        /* Text that is looked at needs its NUL; the byte there is put back until it was read. */
        uint8_t *pending = decoder->reader.pending, due = *pending;
        *pending = 0;
        bool kept = chainsi_limits_check(&decoder->reader.report, offset_of(decoder, at),
                                         field->limits, field->type, value);
        *pending = due;
        if (!kept)
            return NULL;
    }
    return behind;
}

static OUT_OF_LINE const uint8_t *decode_struct(struct decoder *decoder, const uint8_t *at,
                                                uint8_t first, const chainsi_type *type,
                                                void *structure, unsigned depth)
{
    chainsi_msgpack_reader *reader = &decoder->reader;
    size_t pairs;
    bool other;
    const uint8_t *start = at;
    at = chainsi_msgpack_enter_map(reader, at, first, &pairs, &other);
    if (!at)
        return other ? chainsi_msgpack_expected_type(reader, start, first, type) : NULL;
    if (depth >= CHAINSI_MAX_DEPTH)
        return chainsi_msgpack_too_deep(reader, start);
    chainsi_zero_short(structure, type->size);
    uint64_t few_seen = 0, *seen = &few_seen;
    if (type->field_count > 64)
        seen = chainsi_arena_alloc(decoder->arena, (type->field_count / 64 + 1) * sizeof *seen);
    uint32_t next = 0, count = 0; /* next: the field that is expected */
    reader->reserved += pairs * 2;
    for (; pairs; pairs--) {
        if (at == reader->end)
            return chainsi_msgpack_cut_short(reader, "a key");
        const uint8_t *key_at = at;
        const uint8_t key_first = chainsi_msgpack_first(reader, at);
        const chainsi_field *field = &type->fields[next];
        reader->reserved--;
        if (__builtin_expect(
                next < type->field_count && field->name_size < 32 &&
                    key_first == (MSGPACK_FIXSTR | field->name_size) &&
                    (size_t)(reader->end - at) > field->name_size &&
                    chainsi_same_bytes((const char *)at + 1, field->name, field->name_size),
                1)) {
            at += 1 + field->name_size;
        } else {
            const uint8_t *name;
            size_t size;
            at = decode_name(decoder, at, key_first, "a key", &name, &size);
            if (!at)
                return NULL;
            field = chainsi_find_field(type, (const char *)name, size, next);
        }
        reader->reserved--;
        if (!field) {
            at = chainsi_msgpack_skip(reader, at, depth + 1);
            if (!at)
                return NULL;
            continue;
        }
        uint32_t index = (uint32_t)(field - type->fields);
        uint64_t bit = UINT64_C(1) << (index % 64);
        if (__builtin_expect((seen[index / 64] & bit) != 0, 0)) {
            chainsi_report_fail(&reader->report, offset_of(decoder, key_at),
                                "expected every key once, found \"%s\" again", field->name);
            at = NULL;
        } else {
            seen[index / 64] |= bit;
            count++;
            next = index + 1;
            at = decode_field(decoder, at, field, structure, depth + 1);
        }
        if (__builtin_expect(!at, 0)) {
            chainsi_report_field(&reader->report, field->name);
            return NULL;
        }
    }
    if (count < type->field_count &&
        !chainsi_set_absent_fields(&decoder->reader.report, offset_of(decoder, at), type, structure,
                                   seen))
        return NULL;
    return at;
}

static chains_status decode(const chainsi_type *type, const void *data, size_t size,
                            chainsi_arena *arena, void *value, chainsi_codec_error *error,
                            bool in_place, chainsi_attachments *attachments)
{
    chainsi_codec_error unwanted;
    struct decoder decoder;
    chainsi_msgpack_reader *reader = &decoder.reader;
    chainsi_msgpack_reader_init(reader, data, size, error ? error : &unwanted);
    decoder.arena = arena;
    decoder.pool = (chainsi_pool){ .arena = arena };
    decoder.in_place = in_place;
    decoder.attachments = attachments;
    decoder.json = (chainsi_buffer){ 0 };
    chainsi_scratch_init(&decoder.scratch);
    void *decoded = chainsi_arena_alloc_raw(arena, type->size);
    const uint8_t *at = decode_value(&decoder, reader->data, type, decoded, 0);
    if (at && at != reader->end) {
        chainsi_report_fail(&reader->report, offset_of(&decoder, at),
                            "expected the end of the data, found %zu more bytes",
                            (size_t)(reader->end - at));
        at = NULL;
    }
    chainsi_scratch_done(&decoder.scratch);
    chainsi_buffer_done(&decoder.json);
    chainsi_pool_done(&decoder.pool);
    if (!at)
        return chainsi_report_finish(&reader->report);
    chainsi_copy_short(value, decoded, type->size);
    return CHAINS_OK;
}

chains_status chainsi_msgpack_decode(const chainsi_type *type, const void *data, size_t size,
                                     chainsi_arena *arena, void *value, chainsi_codec_error *error)
{
    return decode(type, data, size, arena, value, error, false, NULL);
}

chains_status chainsi_msgpack_decode_in_place(const chainsi_type *type, void *data, size_t size,
                                              chainsi_arena *arena, void *value,
                                              chainsi_codec_error *error)
{
    return decode(type, data, size, arena, value, error, true, NULL);
}

chains_status chainsi_msgpack_decode_shared(const chainsi_type *type, void *data, size_t size,
                                            chainsi_attachments *attachments, chainsi_arena *arena,
                                            void *value, chainsi_codec_error *error)
{
    chains_status status = decode(type, data, size, arena, value, error, true, attachments);
    if (status == CHAINS_OK)
        chainsi_attachments_keep(attachments, arena);
    return status;
}
