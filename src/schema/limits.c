/* Limits, repeated keys, and tensors. */
#include "schema/limits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "schema/access.h"
#include "schema/number.h"
#include "schema/utf8.h"

/* --------------------------------------------------------------------------------------------
 * limits of fields */

/* A number of a kind as a message shows it. */
static const char *show_number(char *out, chainsi_kind kind, chainsi_number number)
{
    char *end;
    if (chainsi_is_signed(kind))
        end = chainsi_write_int64(out, number.i);
    else if (chainsi_is_unsigned(kind))
        end = chainsi_write_uint64(out, number.u);
    else if (!isfinite(number.f))
        end = stpcpy(out, isnan(number.f) ? "NaN" : number.f > 0 ? "infinity" : "-infinity");
    else if (kind == CHAINSI_FLOAT)
        end = chainsi_write_float(out, (float)number.f);
    else
        end = chainsi_write_double(out, number.f);
    if (end - out > 2 && end[-2] == '.' && end[-1] == '0')
        end -= 2;
    *end = 0;
    return out;
}

static chainsi_number load_number(chainsi_kind kind, const void *value)
{
    chainsi_number number;
    if (chainsi_is_signed(kind))
        number.i = chainsi_load_signed(kind, value);
    else if (chainsi_is_unsigned(kind))
        number.u = chainsi_load_unsigned(kind, value);
    else if (kind == CHAINSI_FLOAT)
        number.f = (double)CHAINSI_LOAD(float, value);
    else
        number.f = CHAINSI_LOAD(double, value);
    return number;
}

/* a <= b, as numbers of that kind; false for NaN. */
static bool is_at_most(chainsi_kind kind, chainsi_number a, chainsi_number b)
{
    if (chainsi_is_signed(kind))
        return a.i <= b.i;
    if (chainsi_is_unsigned(kind))
        return a.u <= b.u;
    if (kind == CHAINSI_FLOAT) /* a limit of 0.1 means the float that 0.1 becomes */
        return (float)a.f <= (float)b.f;
    return a.f <= b.f;
}

static bool check_number(chainsi_report *report, size_t offset, const chainsi_limits *limits,
                         chainsi_kind kind, const void *value)
{
    chainsi_number number = load_number(kind, value);
    char a[CHAINSI_NUMBER_SIZE + 1], b[CHAINSI_NUMBER_SIZE + 1], c[CHAINSI_NUMBER_SIZE + 1];
    if (limits->has_range &&
        !(is_at_most(kind, limits->min, number) && is_at_most(kind, number, limits->max)))
        return chainsi_report_fail(report, offset,
                                   "expected a number from %s to %s, found the number %s",
                                   show_number(a, kind, limits->min),
                                   show_number(b, kind, limits->max), show_number(c, kind, number));
    if (!limits->one_of_count)
        return true;
    for (size_t i = 0; i < limits->one_of_count; i++)
        if (is_at_most(kind, number, limits->one_of_number[i]) &&
            is_at_most(kind, limits->one_of_number[i], number))
            return true;
    char list[CHAINSI_EXPECTED_SIZE];
    size_t at = 0;
    for (size_t i = 0; i < limits->one_of_count; i++) {
        const char *joint = i == 0 ? "" : i + 1 == limits->one_of_count ? " or " : ", ";
        if (at > sizeof list - 2 * CHAINSI_NUMBER_SIZE) {
            strcpy(list + at, ", ...");
            break;
        }
        at += (size_t)sprintf(list + at, "%s%s", joint,
                              show_number(a, kind, limits->one_of_number[i]));
    }
    return chainsi_report_fail(report, offset, "expected %s, found the number %s", list,
                               show_number(c, kind, number));
}

static bool check_length(chainsi_report *report, size_t offset, const chainsi_limits *limits,
                         uint64_t length, const char *what, const char *unit)
{
    if (!limits->has_length || (length >= limits->min_length && length <= limits->max_length))
        return true;
    if (limits->max_length == UINT64_MAX)
        return chainsi_report_fail(report, offset, "expected %s of at least %llu %s, found %llu",
                                   what, (unsigned long long)limits->min_length, unit,
                                   (unsigned long long)length);
    if (limits->min_length == 0)
        return chainsi_report_fail(report, offset, "expected %s of at most %llu %s, found %llu",
                                   what, (unsigned long long)limits->max_length, unit,
                                   (unsigned long long)length);
    return chainsi_report_fail(report, offset, "expected %s of %llu to %llu %s, found %llu", what,
                               (unsigned long long)limits->min_length,
                               (unsigned long long)limits->max_length, unit,
                               (unsigned long long)length);
}

static bool check_text(chainsi_report *report, size_t offset, const chainsi_limits *limits,
                       const char *text)
{
    size_t size = strlen(text);
    if (limits->has_length && !check_length(report, offset, limits, chainsi_utf8_count(text, size),
                                            "a string", "characters"))
        return false;
    if (!limits->one_of_count)
        return true;
    for (size_t i = 0; i < limits->one_of_count; i++)
        if (strcmp(limits->one_of_text[i], text) == 0)
            return true;
    char list[CHAINSI_EXPECTED_SIZE], excerpt[CHAINSI_EXCERPT_SIZE];
    size_t at = 0;
    for (size_t i = 0; i < limits->one_of_count; i++) {
        const char *joint = i == 0 ? "" : i + 1 == limits->one_of_count ? " or " : ", ";
        int added =
            snprintf(list + at, sizeof list - at, "%s\"%s\"", joint, limits->one_of_text[i]);
        if (at + (size_t)added >= sizeof list - 8) {
            snprintf(list + at, sizeof list - at, ", ...");
            break;
        }
        at += (size_t)added;
    }
    return chainsi_report_fail(report, offset, "expected %s, found the string %s", list,
                               chainsi_excerpt(excerpt, text, size));
}

bool chainsi_limits_check(chainsi_report *report, size_t offset, const chainsi_limits *limits,
                          const chainsi_type *type, const void *value)
{
    while (type->kind == CHAINSI_POINTER) {
        value = *(const chainsi_pointer *)value;
        type = type->item;
    }
    switch (type->kind) {
    case CHAINSI_STRING:
        return check_text(report, offset, limits, *(const chainsi_text *)value);
    case CHAINSI_BYTES:
        return check_length(report, offset, limits, ((const chains_bytes *)value)->size, "bytes",
                            "bytes");
    case CHAINSI_LIST:
        return check_length(report, offset, limits, ((const chainsi_items *)value)->count,
                            "an array", "items");
    case CHAINSI_MAP:
        return check_length(report, offset, limits, ((const chainsi_items *)value)->count,
                            "an object", "items");
    case CHAINSI_INT8:
    case CHAINSI_INT16:
    case CHAINSI_INT32:
    case CHAINSI_INT64:
    case CHAINSI_UINT8:
    case CHAINSI_UINT16:
    case CHAINSI_UINT32:
    case CHAINSI_UINT64:
    case CHAINSI_FLOAT:
    case CHAINSI_DOUBLE:
        return check_number(report, offset, limits, type->kind, value);
    default: /* no limits apply to the rest */
        return true;
    }
}

/* --------------------------------------------------------------------------------------------
 * repeated keys */

enum { FEW_KEYS = 8, TABLE_ON_STACK = 512 };

static const char *key_at(const void *entries, size_t i, size_t entry_size)
{
    return *(const chainsi_text *)((const uint8_t *)entries + i * entry_size);
}

/* Multiplied and folded words, begun with secrets of the process: who sends keys can't know which
 * ones collide. */
static uint64_t hash_key(const char *key)
{
    uint64_t secrets[2];
    memcpy(secrets, (const void *)getauxval(AT_RANDOM), sizeof secrets);
    uint64_t hash = secrets[0];
    size_t size = strlen(key);
    for (size_t left = size;;) {
        uint64_t word = 0;
        memcpy(&word, key, left < 8 ? left : 8);
        unsigned __int128 product =
            (unsigned __int128)(hash ^ word) * (secrets[1] | 1) + UINT64_C(0x9e3779b97f4a7c15);
        hash = (uint64_t)product ^ (uint64_t)(product >> 64);
        if (left <= 8)
            break;
        key += 8;
        left -= 8;
    }
    return hash ^ size;
}

size_t chainsi_find_repeated_key(const void *entries, size_t count, size_t entry_size)
{
    if (count <= FEW_KEYS) {
        for (size_t i = 1; i < count; i++)
            for (size_t j = 0; j < i; j++)
                if (strcmp(key_at(entries, i, entry_size), key_at(entries, j, entry_size)) == 0)
                    return i;
        return count;
    }
    size_t slots = 16;
    while (slots < count * 2)
        slots *= 2;
    uint32_t on_stack[TABLE_ON_STACK], *table = on_stack; /* indices plus 1; 0: free */
    if (slots > TABLE_ON_STACK) {
        table = calloc(slots, sizeof *table);
        if (!table) {
            fprintf(stderr, "chains: out of memory: no %zu bytes\n", slots * sizeof *table);
            abort();
        }
    } else {
        memset(table, 0, slots * sizeof *table);
    }
    size_t repeated = count;
    for (size_t i = 0; i < count && repeated == count; i++) {
        const char *key = key_at(entries, i, entry_size);
        size_t slot = hash_key(key) & (slots - 1);
        while (table[slot] && strcmp(key_at(entries, table[slot] - 1, entry_size), key) != 0)
            slot = (slot + 1) & (slots - 1);
        if (table[slot])
            repeated = i;
        table[slot] = (uint32_t)i + 1;
    }
    if (table != on_stack)
        free(table);
    return repeated;
}

/* --------------------------------------------------------------------------------------------
 * tensors */

bool chainsi_tensor_check(chainsi_report *report, size_t offset, const chains_tensor *tensor,
                          size_t given_size, size_t *data_size)
{
    size_t size = chains_dtype_size(tensor->dtype);
    if (!size)
        return chainsi_report_fail(report, offset, "expected a tensor's dtype, found %d",
                                   (int)tensor->dtype);
    const size_t element = size;
    if (tensor->rank > CHAINSI_MAX_RANK)
        return chainsi_report_fail(report, offset,
                                   "expected a tensor of at most %d dimensions, found %zu",
                                   CHAINSI_MAX_RANK, tensor->rank);
    if (tensor->rank && !tensor->shape)
        return chainsi_report_fail(report, offset, "expected a tensor's shape, found NULL");
    bool empty = false, large = false;
    for (size_t i = 0; i < tensor->rank; i++) {
        if (tensor->shape[i] < 0)
            return chainsi_report_fail(report, offset,
                                       "expected extents of at least 0 in a tensor's shape, "
                                       "found the number %lld",
                                       (long long)tensor->shape[i]);
        empty |= tensor->shape[i] == 0;
        large |= __builtin_mul_overflow(size, (size_t)tensor->shape[i], &size);
    }
    if (empty)
        size = 0;
    else if (large)
        return chainsi_report_fail(report, offset,
                                   "expected a tensor that fits in memory, found a larger shape");
    if (given_size != SIZE_MAX && given_size != size)
        return chainsi_report_fail(report, offset,
                                   "expected %zu bytes of data for the tensor's shape, found %zu",
                                   size, given_size);
    if (size && !tensor->data)
        return chainsi_report_fail(report, offset, "expected a tensor's data, found NULL");
    if (size && (uintptr_t)tensor->data % element)
        return chainsi_report_fail(report, offset, "expected a tensor's data aligned to %zu bytes",
                                   element);
    if (tensor->dtype == CHAINS_BOOL)
        for (size_t i = 0; i < size; i++)
            if (((const uint8_t *)tensor->data)[i] > 1)
                return chainsi_report_fail(report, offset,
                                           "expected bytes of 0 or 1 in a tensor of bool, found %d",
                                           ((const uint8_t *)tensor->data)[i]);
    *data_size = size;
    return true;
}

static const chainsi_type int64_list_type = {
    .kind = CHAINSI_LIST,
    .size = sizeof(chains_int64_list),
    .item = &chainsi_type_int64,
};

static const chainsi_enumerator json_dtypes[] = {
    { "float32", CHAINS_FLOAT32, NULL }, { "float64", CHAINS_FLOAT64, NULL },
    { "float16", CHAINS_FLOAT16, NULL }, { "int8", CHAINS_INT8, NULL },
    { "int16", CHAINS_INT16, NULL },     { "int32", CHAINS_INT32, NULL },
    { "int64", CHAINS_INT64, NULL },     { "uint8", CHAINS_UINT8, NULL },
    { "uint16", CHAINS_UINT16, NULL },   { "uint32", CHAINS_UINT32, NULL },
    { "uint64", CHAINS_UINT64, NULL },   { "bool", CHAINS_BOOL, NULL },
};
static const chainsi_type json_dtype_type = {
    .kind = CHAINSI_ENUM,
    .size = sizeof(chains_dtype),
    .values = json_dtypes,
    .value_count = sizeof json_dtypes / sizeof *json_dtypes,
};
static const chainsi_field json_fields[] = {
    { CHAINSI_FIELD(chainsi_json_tensor, data_b64, &chainsi_type_bytes) },
    { CHAINSI_FIELD(chainsi_json_tensor, shape, &int64_list_type) },
    { CHAINSI_FIELD(chainsi_json_tensor, dtype, &json_dtype_type) },
};
const chainsi_type chainsi_type_json_tensor = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(chainsi_json_tensor),
    .fields = json_fields,
    .field_count = sizeof json_fields / sizeof *json_fields,
};

static const chainsi_enumerator msgpack_dtypes[] = {
    { "<f4", CHAINS_FLOAT32, NULL }, { "<f8", CHAINS_FLOAT64, NULL },
    { "<f2", CHAINS_FLOAT16, NULL }, { "|i1", CHAINS_INT8, NULL },
    { "<i2", CHAINS_INT16, NULL },   { "<i4", CHAINS_INT32, NULL },
    { "<i8", CHAINS_INT64, NULL },   { "|u1", CHAINS_UINT8, NULL },
    { "<u2", CHAINS_UINT16, NULL },  { "<u4", CHAINS_UINT32, NULL },
    { "<u8", CHAINS_UINT64, NULL },  { "|b1", CHAINS_BOOL, NULL },
};
static const chainsi_type msgpack_dtype_type = {
    .kind = CHAINSI_ENUM,
    .size = sizeof(chains_dtype),
    .values = msgpack_dtypes,
    .value_count = sizeof msgpack_dtypes / sizeof *msgpack_dtypes,
};
static const chains_int64_list no_shape; /* a scalar has none */
static const chainsi_field msgpack_fields[] = {
    { CHAINSI_FIELD(chainsi_msgpack_tensor, nd, &chainsi_type_bool) },
    { CHAINSI_FIELD(chainsi_msgpack_tensor, type, &msgpack_dtype_type) },
    { CHAINSI_FIELD(chainsi_msgpack_tensor, shape, &int64_list_type), .default_value = &no_shape },
    { CHAINSI_FIELD(chainsi_msgpack_tensor, data, &chainsi_type_bytes) },
};
const chainsi_type chainsi_type_msgpack_tensor = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(chainsi_msgpack_tensor),
    .fields = msgpack_fields,
    .field_count = sizeof msgpack_fields / sizeof *msgpack_fields,
};

bool chainsi_set_absent_fields(chainsi_report *report, size_t offset, const chainsi_type *type,
                               void *structure, const uint64_t *seen)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const chainsi_field *field = &type->fields[i];
        if ((seen[i / 64] >> (i % 64) & 1) || chainsi_set_absent(field, structure))
            continue;
        char expected[CHAINSI_EXPECTED_SIZE];
        chainsi_report_fail(report, offset, "expected %s, found no such key",
                            chainsi_expected(expected, field->type));
        chainsi_report_field(report, field->name);
        return false;
    }
    return true;
}
