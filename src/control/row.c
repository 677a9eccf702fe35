/* Rows as structs: the part of database.h that walks the tables of schema/type.h. */
#include "control/database.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
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

static const char *enum_name(const chainsi_type *type, int64_t number)
{
    for (uint32_t i = 0; i < type->value_count; i++)
        if (type->values[i].value == number)
            return type->values[i].name;
    return NULL;
}

static int bind_text(sqlite3_stmt *handle, int index, const char *text)
{
    return sqlite3_bind_text64(handle, index, text, text ? strlen(text) : 0, SQLITE_STATIC,
                               SQLITE_UTF8);
}

static chains_status bind_json(chainsi_statement *statement, int index, const chainsi_field *field,
                               const void *value)
{
    chainsi_buffer out = { 0 };
    chainsi_codec_error error;
    chains_status status = chainsi_json_encode(field->type, value, &out, &error);
    if (status != CHAINS_OK)
        status = chainsi_database_fail(statement->database, status, "%s%s%s: %s", field->name,
                                       error.path[0] ? "." : "", error.path, error.message);
    else if (sqlite3_bind_text64(statement->handle, index, (const char *)out.data, out.size,
                                 SQLITE_TRANSIENT, SQLITE_UTF8) != SQLITE_OK)
        status = chainsi_database_fail(statement->database, CHAINS_INVALID_ARGUMENT,
                                       "%s is too large to be kept", field->name);
    chainsi_buffer_done(&out);
    return status;
}

/* Binds one field; value is where the field is. */
static chains_status bind_field(chainsi_statement *statement, int index, const chainsi_field *field,
                                const void *value)
{
    sqlite3_stmt *handle = statement->handle;
    const chains_bytes *bytes = value;
    const chains_json *json = value;
    if (field->type->kind == CHAINSI_POINTER && *(const void *const *)value) {
        chainsi_field pointed = *field;
        pointed.type = field->type->item;
        return bind_field(statement, index, &pointed, *(const void *const *)value);
    }
    int code = SQLITE_OK;
    switch (field->type->kind) {
    case CHAINSI_BOOL:
        code = sqlite3_bind_int64(handle, index, *(const bool *)value);
        break;
    case CHAINSI_INT32:
        code = sqlite3_bind_int64(handle, index, *(const int32_t *)value);
        break;
    case CHAINSI_INT64:
        code = sqlite3_bind_int64(handle, index, *(const int64_t *)value);
        break;
    case CHAINSI_DOUBLE:
        code = sqlite3_bind_double(handle, index, *(const double *)value);
        break;
    case CHAINSI_STRING:
        code = bind_text(handle, index, *(const char *const *)value);
        break;
    case CHAINSI_ENUM:
        code = bind_text(handle, index, enum_name(field->type, read_enum(field->type, value)));
        break;
    case CHAINSI_BYTES:
        code = bytes->data || !field->optional
                   ? sqlite3_bind_blob64(handle, index, bytes->data ? bytes->data : "", bytes->size,
                                         SQLITE_STATIC)
                   : sqlite3_bind_null(handle, index);
        break;
    case CHAINSI_JSON:
        code = json->text ? sqlite3_bind_text64(handle, index, json->text, json->size,
                                                SQLITE_STATIC, SQLITE_UTF8)
                          : sqlite3_bind_null(handle, index);
        break;
    case CHAINSI_POINTER:
        code = sqlite3_bind_null(handle, index);
        break;
    default:
        return bind_json(statement, index, field, value);
    }
    if (code == SQLITE_OK)
        return CHAINS_OK;
    return chainsi_database_fail(statement->database, CHAINS_INVALID_ARGUMENT,
                                 "%s is too large to be kept", field->name);
}

void chainsi_statement_struct(chainsi_statement *statement, const chainsi_type *type,
                              const void *value)
{
    if (statement->status != CHAINS_OK)
        return;
    int count = sqlite3_bind_parameter_count(statement->handle);
    for (int i = 1; i <= count && statement->status == CHAINS_OK; i++) {
        const char *name = sqlite3_bind_parameter_name(statement->handle, i);
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

/* Reads a column that isn't NULL into value, which is zeroed. */
static chains_status read_field(const chainsi_statement *statement, int column,
                                const chainsi_field *field, chainsi_arena *arena, void *value)
{
    sqlite3_stmt *handle = statement->handle;
    chains_bytes bytes = { 0 };
    if (field->type->kind == CHAINSI_POINTER) {
        chainsi_field pointed = *field;
        pointed.type = field->type->item;
        void *item = chainsi_arena_alloc(arena, pointed.type->size);
        *(void **)value = item;
        return read_field(statement, column, &pointed, arena, item);
    }
    switch (field->type->kind) {
    case CHAINSI_BOOL:
        *(bool *)value = sqlite3_column_int64(handle, column) != 0;
        return CHAINS_OK;
    case CHAINSI_INT32:
        *(int32_t *)value = (int32_t)sqlite3_column_int64(handle, column);
        return CHAINS_OK;
    case CHAINSI_INT64:
        *(int64_t *)value = sqlite3_column_int64(handle, column);
        return CHAINS_OK;
    case CHAINSI_DOUBLE:
        *(double *)value = sqlite3_column_double(handle, column);
        return CHAINS_OK;
    case CHAINSI_BYTES:
        bytes.data = sqlite3_column_blob(handle, column);
        break;
    default:
        bytes.data = sqlite3_column_text(handle, column);
        break;
    }
    bytes.size = (size_t)sqlite3_column_bytes(handle, column);
    switch (field->type->kind) {
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
        return read_enum_column(statement, field, bytes.data, value);
    default:
        return read_json_column(statement, field, bytes, arena, value);
    }
}

void chainsi_statement_read(chainsi_statement *statement, const chainsi_type *type,
                            chainsi_arena *arena, void *value)
{
    memset(value, 0, type->size);
    if (statement->status != CHAINS_OK)
        return;
    int count = sqlite3_column_count(statement->handle);
    for (int i = 0; i < count && statement->status == CHAINS_OK; i++) {
        const chainsi_field *field = find_field(type, sqlite3_column_name(statement->handle, i));
        if (!field)
            continue;
        if (sqlite3_column_type(statement->handle, i) != SQLITE_NULL)
            statement->status =
                read_field(statement, i, field, arena, (char *)value + field->offset);
        else if (field->type->kind == CHAINSI_STRING && !field->optional)
            statement->status = refuse(statement, field, "it is NULL");
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
