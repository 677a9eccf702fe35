/* How codecs see C values whose types they know from tables only. The views may alias anything. */
#ifndef CHAINSI_SCHEMA_ACCESS_H
#define CHAINSI_SCHEMA_ACCESS_H

#include <string.h>

#include "schema/type.h"

/* Any list or map. */
typedef struct chainsi_items {
    uint8_t *items;
    size_t count;
} __attribute__((may_alias)) chainsi_items;

typedef const char *__attribute__((may_alias)) chainsi_text;
typedef const void *__attribute__((may_alias)) chainsi_pointer;

/* A scalar of a given C type at an address of that type. */
#define CHAINSI_LOAD(c_type, at)                                                                   \
    ({                                                                                             \
        c_type chainsi_loaded_;                                                                    \
        memcpy(&chainsi_loaded_, (at), sizeof chainsi_loaded_);                                    \
        chainsi_loaded_;                                                                           \
    })
#define CHAINSI_STORE(c_type, at, value)                                                           \
    do {                                                                                           \
        c_type chainsi_stored_ = (c_type)(value);                                                  \
        memcpy((at), &chainsi_stored_, sizeof chainsi_stored_);                                    \
    } while (0)

/* The value of a signed or unsigned integer kind, as 64 bits. */
static inline int64_t chainsi_load_signed(chainsi_kind kind, const void *at)
{
    switch (kind) {
    case CHAINSI_INT8:
        return CHAINSI_LOAD(int8_t, at);
    case CHAINSI_INT16:
        return CHAINSI_LOAD(int16_t, at);
    case CHAINSI_INT32:
        return CHAINSI_LOAD(int32_t, at);
    default:
        return CHAINSI_LOAD(int64_t, at);
    }
}

static inline uint64_t chainsi_load_unsigned(chainsi_kind kind, const void *at)
{
    switch (kind) {
    case CHAINSI_UINT8:
        return CHAINSI_LOAD(uint8_t, at);
    case CHAINSI_UINT16:
        return CHAINSI_LOAD(uint16_t, at);
    case CHAINSI_UINT32:
        return CHAINSI_LOAD(uint32_t, at);
    default:
        return CHAINSI_LOAD(uint64_t, at);
    }
}

static inline bool chainsi_is_signed(chainsi_kind kind)
{
    return kind >= CHAINSI_INT8 && kind <= CHAINSI_INT64;
}

static inline bool chainsi_is_unsigned(chainsi_kind kind)
{
    return kind >= CHAINSI_UINT8 && kind <= CHAINSI_UINT64;
}

/* Stores an integer given as sign and magnitude. False if the kind can't hold it. */
static inline bool chainsi_store_integer(chainsi_kind kind, void *at, bool negative,
                                         uint64_t magnitude)
{
    /* The largest magnitudes: of positive numbers, the table; of negative ones, one more, or 0. */
    static const uint64_t largest[] = {
        [CHAINSI_INT8] = INT8_MAX,     [CHAINSI_INT16] = INT16_MAX,   [CHAINSI_INT32] = INT32_MAX,
        [CHAINSI_INT64] = INT64_MAX,   [CHAINSI_UINT8] = UINT8_MAX,   [CHAINSI_UINT16] = UINT16_MAX,
        [CHAINSI_UINT32] = UINT32_MAX, [CHAINSI_UINT64] = UINT64_MAX,
    };
    uint64_t limit = largest[kind];
    if (negative)
        limit = kind <= CHAINSI_INT64 ? limit + 1 : 0;
    if (magnitude > limit)
        return false;
    uint64_t bits = negative ? 0 - magnitude : magnitude;
    switch (kind) {
    case CHAINSI_INT8:
    case CHAINSI_UINT8:
        CHAINSI_STORE(uint8_t, at, bits);
        break;
    case CHAINSI_INT16:
    case CHAINSI_UINT16:
        CHAINSI_STORE(uint16_t, at, bits);
        break;
    case CHAINSI_INT32:
    case CHAINSI_UINT32:
        CHAINSI_STORE(uint32_t, at, bits);
        break;
    default:
        CHAINSI_STORE(uint64_t, at, bits);
        break;
    }
    return true;
}

static inline uint64_t chainsi_enum_mask(const chainsi_type *type)
{
    return type->size >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * type->size)) - 1;
}

/* The enumerator of an enum's value; NULL if it has none. */
static inline const chainsi_enumerator *chainsi_find_value(const chainsi_type *type, const void *at)
{
    uint64_t bits = 0, mask = chainsi_enum_mask(type);
    memcpy(&bits, at, type->size);
    for (uint32_t i = 0; i < type->value_count; i++)
        if (((uint64_t)type->values[i].value & mask) == bits)
            return &type->values[i];
    return NULL;
}

static inline const chainsi_enumerator *chainsi_find_name(const chainsi_type *type,
                                                          const char *name, size_t size)
{
    for (uint32_t i = 0; i < type->value_count; i++) {
        const char *other = type->values[i].name;
        /* The length first: a name that was sent may hold a NUL, behind which there is nothing of ours. */
        if (strlen(other) == size && memcmp(other, name, size) == 0)
            return &type->values[i];
    }
    return NULL;
}

static inline void chainsi_store_enum(const chainsi_type *type, void *at, int64_t value)
{
    memcpy(at, &value, type->size);
}

/* True if a and b are the same size bytes, for the short sizes of names; reads nothing else. */
static inline bool chainsi_same_bytes(const char *a, const char *b, size_t size)
{
    uint64_t x, y, z, w;
    if (size >= 8) {
        size_t at = 0;
        for (; size - at > 8; at += 8) {
            memcpy(&x, a + at, 8);
            memcpy(&y, b + at, 8);
            if (x != y)
                return false;
        }
        memcpy(&x, a + size - 8, 8);
        memcpy(&y, b + size - 8, 8);
        return x == y;
    }
    x = y = z = w = 0;
    if (size >= 4) {
        memcpy(&x, a, 4);
        memcpy(&y, b, 4);
        memcpy(&z, a + size - 4, 4);
        memcpy(&w, b + size - 4, 4);
        return ((x ^ y) | (z ^ w)) == 0;
    }
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

enum { CHAINSI_SHORT = 128 }; /* bytes: what is zeroed without a call */

/* Copies size bytes, fast for the short sizes of names and texts; neither reads nor writes anything
 * else. Sizes up to 64 take as few branches as there can be: they come in no order. */
static inline void chainsi_copy_short(void *to, const void *from, size_t size)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if (size >= 16) {
        typedef struct piece {
            uint64_t words[2];
        } piece;
        piece first, second, last_but_one, last;
        if (size > 64) {
            memcpy(out, in, size);
            return;
        }
        memcpy(&first, in, 16);
        memcpy(&last, in + size - 16, 16);
        if (size > 32) {
            memcpy(&second, in + 16, 16);
            memcpy(&last_but_one, in + size - 32, 16);
            memcpy(out + 16, &second, 16);
            memcpy(out + size - 32, &last_but_one, 16);
        }
        memcpy(out, &first, 16);
        memcpy(out + size - 16, &last, 16);
    } else if (size >= 8) {
        uint64_t first, last;
        memcpy(&first, in, 8);
        memcpy(&last, in + size - 8, 8);
        memcpy(out, &first, 8);
        memcpy(out + size - 8, &last, 8);
    } else if (size >= 4) {
        uint32_t first, last;
        memcpy(&first, in, 4);
        memcpy(&last, in + size - 4, 4);
        memcpy(out, &first, 4);
        memcpy(out + size - 4, &last, 4);
    } else if (size >= 2) {
        uint16_t first;
        uint8_t last = in[size - 1];
        memcpy(&first, in, 2);
        memcpy(out, &first, 2);
        out[size - 1] = last;
    } else if (size) {
        *out = *in;
    }
}

/* Zeroes size bytes, fast for the short sizes of structs. */
static inline void chainsi_zero_short(void *at, size_t size)
{
    uint8_t *out = at;
    if (size < 16 || size > CHAINSI_SHORT) {
        memset(out, 0, size);
        return;
    }
    for (size_t i = 0; i + 16 < size; i += 16) {
        memset(out + i, 0, 16);
        __asm__("" : "+r"(i)); /* or the loop becomes the call that it saves */
    }
    memset(out + size - 16, 0, 16);
}

/* The field of that name, looked for from `from` on and round; NULL if there is none. */
static inline const chainsi_field *chainsi_find_field(const chainsi_type *type, const char *name,
                                                      size_t size, uint32_t from)
{
    uint32_t i = from < type->field_count ? from : 0;
    for (uint32_t left = type->field_count; left; left--) {
        const chainsi_field *field = &type->fields[i];
        if (field->name_size == size && chainsi_same_bytes(field->name, name, size))
            return field;
        i = i + 1 == type->field_count ? 0 : i + 1;
    }
    return NULL;
}

/* Makes an absent key's field of a zeroed struct what it is then. False if the key is required. */
static inline bool chainsi_set_absent(const chainsi_field *field, void *structure)
{
    if (field->default_value) {
        memcpy((uint8_t *)structure + field->offset, field->default_value, field->type->size);
        return true;
    }
    return field->optional;
}

#endif
