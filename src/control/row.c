/* Rows as structs: the part of database.h that walks the tables of schema/type.h. */
#include "control/database.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "control/database_engine.h"
#include "schema/json.h"

/* A list of anything. */
typedef struct any_list {
    void *items;
    size_t count;
} any_list;

static const chainsi_field *find_field(const chainsi_type *type, const char *name)
{
    for (uint32_t i = 0; i < type->field_count; i++)
        if (!strcmp(type->fields[i].name, name))
            return &type->fields[i];
    return NULL;
}

/* From structs. */

static int64_t read_enum(const chainsi_type *type, const void *value)
{
    assert(type->size == sizeof(int32_t));
    int32_t number;
    memcpy(&number, value, sizeof number);
    return number;
}

static int64_t read_integer(const chainsi_type *type, const void *value)
{
    return type->kind == CHAINSI_BOOL    ? *(const bool *)value
           : type->kind == CHAINSI_INT32 ? *(const int32_t *)value
                                         : *(const int64_t *)value;
}

static const char *enum_name(const chainsi_type *type, int64_t number)
{
    for (uint32_t i = 0; i < type->value_count; i++)
        if (type->values[i].value == number)
            return type->values[i].name;
    return NULL;
}

static chains_status write_json(chainsi_database *database, const chainsi_field *field,
                                const void *value, chainsi_buffer *out)
{
    chainsi_codec_error error;
    chains_status status = chainsi_json_encode(field->type, value, out, &error);
    if (status != CHAINS_OK) {
        chainsi_buffer_done(out);
        return chainsi_database_fail(database, status, "%s%s%s: %s", field->name,
                                     error.path[0] ? "." : "", error.path, error.message);
    }
    return CHAINS_OK;
}

/* Binds one field; value is where the field is. */
static chains_status bind_field(chainsi_statement *statement, int index, const chainsi_field *field,
                                const void *value)
{
    const chainsi_type *type = field->type;
    const chains_bytes *bytes = value;
    const chains_json *json = value;
    chainsi_datum datum = { .kind = CHAINSI_DATUM_TEXT };
    chainsi_buffer out = { 0 };
    const char *text = NULL;
    if (type->kind == CHAINSI_POINTER) {
        type = type->item;
        value = *(const void *const *)value;
        datum.is_null = !value;
    }
    switch (type->kind) {
    case CHAINSI_BOOL:
    case CHAINSI_INT32:
    case CHAINSI_INT64:
        datum.kind = CHAINSI_DATUM_INTEGER;
        if (value)
            datum.integer = read_integer(type, value);
        break;
    case CHAINSI_DOUBLE:
        datum.kind = CHAINSI_DATUM_REAL;
        if (value)
            datum.real = *(const double *)value;
        break;
    case CHAINSI_STRING:
        if (value)
            text = *(const char *const *)value;
        datum.is_null = !text;
        break;
    case CHAINSI_ENUM:
        if (value)
            text = enum_name(type, read_enum(type, value));
        datum.is_null = !text;
        break;
    case CHAINSI_BYTES:
        datum.kind = CHAINSI_DATUM_BYTES;
        datum.is_null = !value || (!bytes->data && field->optional);
        if (value)
            datum.bytes = *bytes;
        break;
    case CHAINSI_JSON:
        datum.is_null = !value || !json->text;
        if (value)
            datum.bytes = (chains_bytes){ json->text, json->size };
        break;
    default:
        if (value) {
            chains_status status = write_json(statement->database, field, value, &out);
            if (status != CHAINS_OK)
                return status;
        }
        datum.passing = true;
        datum.bytes = (chains_bytes){ out.data, out.size };
    }
    if (text)
        datum.bytes = (chains_bytes){ text, strlen(text) };
    const chainsi_engine *engine = statement->database->engine;
    chains_status status = engine->bind(statement->database, statement->handle, index, &datum);
    chainsi_buffer_done(&out);
    if (status != CHAINS_OK)
        return chainsi_database_fail(statement->database, CHAINS_INVALID_ARGUMENT,
                                     "%s is too large to be kept", field->name);
    return CHAINS_OK;
}

void chainsi_statement_struct(chainsi_statement *statement, const chainsi_type *type,
                              const void *value)
{
    const chainsi_engine *engine = statement->database->engine;
    if (statement->status != CHAINS_OK)
        return;
    int count = engine->parameter_count(statement->handle);
    for (int i = 1; i <= count && statement->status == CHAINS_OK; i++) {
        const char *name = engine->parameter_name(statement->handle, i);
        const chainsi_field *field = name ? find_field(type, name + 1) : NULL;
        if (field)
            statement->status =
                bind_field(statement, i, field, (const char *)value + field->offset);
    }
}

/* To structs. */

static chains_status refuse(const chainsi_statement *statement, const chainsi_field *field,
                            const char *what)
{
    return chainsi_database_fail(statement->database, CHAINS_DATA_LOSS,
                                 "what is kept as %s is damaged: %s", field->name, what);
}

static chains_status read_enum_column(const chainsi_statement *statement,
                                      const chainsi_field *field, const char *name, void *value)
{
    for (uint32_t i = 0; name && i < field->type->value_count; i++) {
        if (strcmp(field->type->values[i].name, name) != 0)
            continue;
        int32_t number = (int32_t)field->type->values[i].value;
        memcpy(value, &number, sizeof number);
        return CHAINS_OK;
    }
    return refuse(statement, field, name ? name : "it is NULL");
}

static chains_status read_json_column(const chainsi_statement *statement,
                                      const chainsi_field *field, chains_bytes text,
                                      chainsi_arena *arena, void *value)
{
    chainsi_codec_error error;
    if (chainsi_json_decode(field->type, text.data, text.size, arena, value, &error) == CHAINS_OK)
        return CHAINS_OK;
    char why[CHAINSI_CODEC_PATH + CHAINSI_CODEC_MESSAGE + 2];
    snprintf(why, sizeof why, "%s %s", error.path, error.message);
    return refuse(statement, field, why);
}

static chainsi_datum_kind datum_kind(const chainsi_type *type)
{
    switch (type->kind) {
    case CHAINSI_BOOL:
    case CHAINSI_INT32:
    case CHAINSI_INT64:
        return CHAINSI_DATUM_INTEGER;
    case CHAINSI_DOUBLE:
        return CHAINSI_DATUM_REAL;
    case CHAINSI_BYTES:
        return CHAINSI_DATUM_BYTES;
    default:
        return CHAINSI_DATUM_TEXT;
    }
}

/* Puts what a column holds, which isn't NULL, into value, which is zeroed. */
static chains_status read_field(const chainsi_statement *statement, const chainsi_datum *datum,
                                const chainsi_field *field, chainsi_arena *arena, void *value)
{
    chains_bytes bytes = datum->bytes;
    switch (field->type->kind) {
    case CHAINSI_BOOL:
        *(bool *)value = datum->integer != 0;
        return CHAINS_OK;
    case CHAINSI_INT32:
        *(int32_t *)value = (int32_t)datum->integer;
        return CHAINS_OK;
    case CHAINSI_INT64:
        *(int64_t *)value = datum->integer;
        return CHAINS_OK;
    case CHAINSI_DOUBLE:
        *(double *)value = datum->real;
        return CHAINS_OK;
    case CHAINSI_STRING:
        *(const char **)value = chainsi_arena_copy(arena, bytes.data, bytes.size);
        return CHAINS_OK;
    case CHAINSI_BYTES:
        *(chains_bytes *)value =
            (chains_bytes){ chainsi_arena_copy(arena, bytes.data, bytes.size), bytes.size };
        return CHAINS_OK;
    case CHAINSI_JSON:
        *(chains_json *)value =
            (chains_json){ chainsi_arena_copy(arena, bytes.data, bytes.size), bytes.size };
        return CHAINS_OK;
    case CHAINSI_ENUM:
        return read_enum_column(statement, field, (const char *)bytes.data, value);
    default:
        return read_json_column(statement, field, bytes, arena, value);
    }
}

static chains_status read_column(const chainsi_statement *statement, int column,
                                 const chainsi_field *field, chainsi_arena *arena, void *value)
{
    chainsi_field pointed = *field;
    bool points = field->type->kind == CHAINSI_POINTER;
    if (points)
        pointed.type = field->type->item;
    chainsi_datum datum = { .kind = datum_kind(pointed.type) };
    statement->database->engine->column(statement->handle, column, &datum);
    if (datum.is_null)
        return field->type->kind == CHAINSI_STRING && !field->optional
                   ? refuse(statement, field, "it is NULL")
                   : CHAINS_OK;
    if (points) {
        void *item = chainsi_arena_alloc(arena, pointed.type->size);
        *(void **)value = item;
        value = item;
    }
    return read_field(statement, &datum, &pointed, arena, value);
}

void chainsi_statement_read(chainsi_statement *statement, const chainsi_type *type,
                            chainsi_arena *arena, void *value)
{
    const chainsi_engine *engine = statement->database->engine;
    memset(value, 0, type->size);
    if (statement->status != CHAINS_OK)
        return;
    int count = engine->column_count(statement->handle);
    for (int i = 0; i < count && statement->status == CHAINS_OK; i++) {
        const chainsi_field *field = find_field(type, engine->column_name(statement->handle, i));
        if (field)
            statement->status =
                read_column(statement, i, field, arena, (char *)value + field->offset);
    }
}

void chainsi_statement_read_all(chainsi_statement *statement, const chainsi_type *list_type,
                                chainsi_arena *arena, void *list)
{
    const chainsi_type *type = list_type->item;
    chainsi_buffer items = { 0 };
    size_t count = 0;
    while (chainsi_statement_next(statement)) {
        chainsi_statement_read(statement, type, arena, chainsi_buffer_reserve(&items, type->size));
        items.size += type->size;
        count++;
    }
    if (statement->status == CHAINS_OK)
        *(any_list *)list = (any_list){ chainsi_arena_copy(arena, items.data, items.size), count };
    chainsi_buffer_done(&items);
}

chains_status chainsi_statement_read_one(chainsi_statement *statement, const chainsi_type *type,
                                         chainsi_arena *arena, void *value)
{
    void *read = chainsi_arena_alloc(arena, type->size);
    bool found = chainsi_statement_next(statement);
    if (found)
        chainsi_statement_read(statement, type, arena, read);
    chains_status status = chainsi_statement_end(statement);
    if (status == CHAINS_OK && !found)
        return CHAINS_NOT_FOUND;
    if (status == CHAINS_OK)
        memcpy(value, read, type->size);
    return status;
}
