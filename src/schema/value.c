/* Values in C memory: checking and copying, each one walk over value and table. */
#include "schema/value.h"

#include <stdio.h>
#include <stdlib.h>

#include "schema/access.h"
#include "schema/encoder.h"
#include "schema/limits.h"

/* --------------------------------------------------------------------------------------------
 * checking: what the encoders refuse, and the limits. The encoder is there for its reports only. */

static bool check_value(chainsi_encoder *encoder, const chainsi_type *type, const void *value,
                        unsigned depth);

static bool check_list(chainsi_encoder *encoder, const chainsi_type *type,
                       const chainsi_items *list, unsigned depth)
{
    if (!chainsi_encoder_enter(encoder, depth) || !chainsi_encoder_check_items(encoder, list))
        return false;
    /* Items that can't be wrong need no look. */
    if (type->item->kind >= CHAINSI_INT8 && type->item->kind <= CHAINSI_DOUBLE)
        return true;
    for (size_t i = 0; i < list->count; i++) {
        if (!check_value(encoder, type->item, list->items + i * type->item->size, depth + 1)) {
            chainsi_report_index(&encoder->report, i);
            return false;
        }
    }
    return true;
}

static bool check_map(chainsi_encoder *encoder, const chainsi_type *type, const chainsi_items *map,
                      unsigned depth)
{
    if (!chainsi_encoder_enter(encoder, depth) || !chainsi_encoder_check_items(encoder, map) ||
        !chainsi_encoder_check_keys(encoder, type, map))
        return false;
    for (size_t i = 0; i < map->count; i++) {
        const uint8_t *entry = map->items + i * type->entry_size;
        const char *key = *(const chainsi_text *)entry;
        if (!chainsi_encoder_check_text(encoder, key, strlen(key)) ||
            !check_value(encoder, type->item, entry + type->value_offset, depth + 1)) {
            chainsi_report_key(&encoder->report, key);
            return false;
        }
    }
    return true;
}

static bool check_struct(chainsi_encoder *encoder, const chainsi_type *type, const void *structure,
                         unsigned depth)
{
    if (!chainsi_encoder_enter(encoder, depth))
        return false;
    for (uint32_t i = 0; i < type->field_count; i++) {
        const chainsi_field *field = &type->fields[i];
        const void *value = (const uint8_t *)structure + field->offset;
        if (chainsi_is_absent(field, value))
            continue;
        if (!check_value(encoder, field->type, value, depth + 1) ||
            (field->limits &&
             !chainsi_limits_check(&encoder->report, 0, field->limits, field->type, value))) {
            chainsi_report_field(&encoder->report, field->name);
            return false;
        }
    }
    return true;
}

static bool check_value(chainsi_encoder *encoder, const chainsi_type *type, const void *value,
                        unsigned depth)
{
    size_t size;
    chains_json trimmed;
    switch (type->kind) {
    case CHAINSI_BOOL:
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
        return true;
    case CHAINSI_STRING: {
        const char *text = *(const chainsi_text *)value;
        if (text)
            return chainsi_encoder_check_text(encoder, text, strlen(text));
        chainsi_encoder_refuse_null(encoder, type);
        return false;
    }
    case CHAINSI_BYTES:
        return chainsi_encoder_check_bytes(encoder, value);
    case CHAINSI_JSON:
        return chainsi_encoder_check_json(encoder, value, depth, &trimmed);
    case CHAINSI_TENSOR:
        return chainsi_tensor_check(&encoder->report, 0, value, SIZE_MAX, &size);
    case CHAINSI_ENUM:
        return chainsi_encoder_find_value(encoder, type, value) != NULL;
    case CHAINSI_STRUCT:
        return check_struct(encoder, type, value, depth);
    case CHAINSI_LIST:
        return check_list(encoder, type, value, depth);
    case CHAINSI_MAP:
        return check_map(encoder, type, value, depth);
    case CHAINSI_POINTER: {
        const void *target = *(const chainsi_pointer *)value;
        if (target)
            return check_value(encoder, type->item, target, depth);
        chainsi_encoder_refuse_null(encoder, type->item);
        return false;
    }
    }
    __builtin_unreachable();
}

chains_status chainsi_value_check(const chainsi_type *type, const void *value,
                                  chainsi_codec_error *error)
{
    chainsi_encoder encoder;
    chainsi_report_init(&encoder.report, error ? error : &encoder.unwanted);
    if (!check_value(&encoder, type, value, 0))
        return chainsi_report_finish(&encoder.report);
    return CHAINS_OK;
}

bool chainsi_value_can_fail(const chainsi_type *type)
{
    if (type->kind <= CHAINSI_DOUBLE)
        return false;
    if (type->kind != CHAINSI_STRUCT)
        return true;
    for (uint32_t i = 0; i < type->field_count; i++)
        if (type->fields[i].limits || chainsi_value_can_fail(type->fields[i].type))
            return true;
    return false;
}

/* --------------------------------------------------------------------------------------------
 * copying */

static void copy_value(const chainsi_type *type, const void *from, void *to, chainsi_arena *arena,
                       unsigned depth);

static void *copy_block(chainsi_arena *arena, const void *from, size_t size)
{
    void *copy = chainsi_arena_alloc_raw(arena, size);
    if (size)
        memcpy(copy, from, size);
    return copy;
}

static void *copy_sendable(chainsi_arena *arena, const void *from, size_t size)
{
    void *copy = chainsi_arena_alloc_sendable_raw(arena, size);
    if (size)
        memcpy(copy, from, size);
    return copy;
}

static size_t tensor_size(const chains_tensor *tensor)
{
    chainsi_report report;
    chainsi_codec_error error;
    size_t size = 0;
    chainsi_report_init(&report, &error);
    /* One that doesn't fit has no data that could be copied. */
    return chainsi_tensor_check(&report, 0, tensor, SIZE_MAX, &size) ? size : 0;
}

/* True if a value of the type is all in its own bytes. */
static bool is_flat(const chainsi_type *type)
{
    return type->kind <= CHAINSI_DOUBLE || type->kind == CHAINSI_ENUM;
}

static void copy_items(const chainsi_type *type, const chainsi_items *from, chainsi_items *to,
                       chainsi_arena *arena, unsigned depth)
{
    const bool is_map = type->kind == CHAINSI_MAP;
    const size_t size = is_map ? type->entry_size : type->item->size;
    const chainsi_items source = *from; /* from and to may be the same */
    to->count = source.count;
    to->items = NULL;
    if (!source.count)
        return;
    to->items = copy_block(arena, source.items, source.count * size);
    if (!is_map && is_flat(type->item))
        return;
    for (size_t i = 0; i < source.count; i++) {
        const uint8_t *old = source.items + i * size;
        uint8_t *new = to->items + i *size;
        if (is_map) {
            *(chainsi_text *)new = chainsi_arena_strdup(arena, *(const chainsi_text *)old);
            old += type->value_offset;
            new += type->value_offset;
        }
        copy_value(type->item, old, new, arena, depth + 1);
    }
}

static void copy_value(const chainsi_type *type, const void *from, void *to, chainsi_arena *arena,
                       unsigned depth)
{
    if (depth > CHAINSI_MAX_DEPTH) {
        fprintf(stderr, "chains: a value nested more than %d deep was to be copied\n",
                CHAINSI_MAX_DEPTH);
        abort();
    }
    switch (type->kind) {
    case CHAINSI_STRING:
        *(chainsi_text *)to = chainsi_arena_strdup(arena, *(const chainsi_text *)from);
        break;
    case CHAINSI_BYTES: {
        const chains_bytes *bytes = from;
        *(chains_bytes *)to = (chains_bytes){
            bytes->data ? copy_sendable(arena, bytes->data, bytes->size) : NULL,
            bytes->size,
        };
        break;
    }
    case CHAINSI_JSON: {
        const chains_json *json = from;
        *(chains_json *)to = (chains_json){
            json->text ? chainsi_arena_copy(arena, json->text, json->size) : NULL,
            json->size,
        };
        break;
    }
    case CHAINSI_TENSOR: {
        const chains_tensor *tensor = from;
        *(chains_tensor *)to = (chains_tensor){
            .dtype = tensor->dtype,
            .shape = copy_block(arena, tensor->shape, tensor->rank * sizeof *tensor->shape),
            .rank = tensor->rank,
            .data = copy_sendable(arena, tensor->data, tensor_size(tensor)),
        };
        break;
    }
    case CHAINSI_STRUCT:
        if (to != from)
            memcpy(to, from, type->size);
        for (uint32_t i = 0; i < type->field_count; i++) {
            const chainsi_field *field = &type->fields[i];
            if (!is_flat(field->type))
                copy_value(field->type, (const uint8_t *)from + field->offset,
                           (uint8_t *)to + field->offset, arena, depth + 1);
        }
        break;
    case CHAINSI_LIST:
    case CHAINSI_MAP:
        copy_items(type, from, to, arena, depth);
        break;
    case CHAINSI_POINTER: {
        const void *target = *(const chainsi_pointer *)from;
        void *copy = NULL;
        if (target) {
            copy = chainsi_arena_alloc_raw(arena, type->item->size);
            copy_value(type->item, target, copy, arena, depth);
        }
        *(chainsi_pointer *)to = copy;
        break;
    }
    default:
        if (to != from)
            memcpy(to, from, type->size);
        break;
    }
}

void chainsi_value_copy(const chainsi_type *type, const void *from, void *to, chainsi_arena *arena)
{
    copy_value(type, from, to, arena, 0);
}

bool chainsi_value_defaults(const chainsi_type *type, void *value)
{
    bool complete = true;
    memset(value, 0, type->size);
    if (type->kind != CHAINSI_STRUCT)
        return true;
    for (uint32_t i = 0; i < type->field_count; i++)
        complete &= chainsi_set_absent(&type->fields[i], value);
    return complete;
}
