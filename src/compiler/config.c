/* Reads the constants that CHAINLET, CHAINS_DEPENDS and CHAINLET_EXTERNAL make. The initializer is
 * walked as clang keeps it, and each value written into our own struct of the same declaration, at
 * the offset that clang gives: there is no second list of options. */
#include "compiler/config.h"

#include <string.h>

typedef struct child_list {
    chainsi_reader *reader;
    CXCursor *items;
    size_t count, capacity;
} child_list;

static enum CXChildVisitResult add_child(CXCursor cursor, CXCursor parent, CXClientData data)
{
    (void)parent;
    child_list *list = data;
    CHAINSI_MAKE_ROOM(list->reader, list->items, list->count, list->capacity);
    list->items[list->count++] = cursor;
    return CXChildVisit_Continue;
}

static enum CXVisitorResult add_field(CXCursor cursor, CXClientData data)
{
    add_child(cursor, cursor, data);
    return CXVisit_Continue;
}

static child_list list_children(chainsi_reader *reader, CXCursor cursor)
{
    child_list list = { .reader = reader };
    clang_visitChildren(cursor, add_child, &list);
    return list;
}

static child_list list_fields(chainsi_reader *reader, CXType type)
{
    child_list list = { .reader = reader };
    clang_Type_visitFields(clang_getCanonicalType(type), add_field, &list);
    return list;
}

/* A part of the config: what is being initialized. */
typedef struct config_slot {
    CXType type; /* canonical */
    size_t offset;
    const char *path;
} config_slot;

typedef struct config_evaluation {
    chainsi_reader *reader;
    const char *macro;
    char *config;
    size_t size;
    chainsi_config_options *read;
} config_evaluation;

static bool is_array(CXType type)
{
    return type.kind == CXType_ConstantArray;
}

static config_slot field_slot(config_evaluation *evaluation, const config_slot *whole,
                              CXCursor field)
{
    const char *name = chainsi_parse_take(evaluation->reader, clang_getCursorSpelling(field));
    long long bits = clang_Cursor_getOffsetOfField(field);
    return (config_slot){ clang_getCanonicalType(clang_getCursorType(field)),
                          whole->offset + (bits > 0 ? (size_t)bits / 8 : 0),
                          CHAINSI_TEXT(evaluation->reader, "%s.%s", whole->path, name) };
}

static config_slot element_slot(config_evaluation *evaluation, const config_slot *whole,
                                size_t index)
{
    CXType type = clang_getCanonicalType(clang_getArrayElementType(whole->type));
    long long size = clang_Type_getSizeOf(type);
    return (config_slot){ type, whole->offset + index * (size_t)(size > 0 ? size : 0),
                          CHAINSI_TEXT(evaluation->reader, "%s[%zu]", whole->path, index) };
}

/* The i-th part of an aggregate; false past its end. */
static bool sub_slot(config_evaluation *evaluation, const config_slot *whole, size_t i,
                     config_slot *part)
{
    if (is_array(whole->type)) {
        if ((long long)i >= clang_getArraySize(whole->type))
            return false;
        *part = element_slot(evaluation, whole, i);
        return true;
    }
    child_list fields = list_fields(evaluation->reader, whole->type);
    if (i >= fields.count)
        return false;
    *part = field_slot(evaluation, whole, fields.items[i]);
    return true;
}

static chainsi_position value_position(chainsi_reader *reader, CXCursor value)
{
    CXSourceRange extent = clang_getCursorExtent(value);
    unsigned begin, end;
    chainsi_position position =
        chainsi_parse_place(reader, clang_getRangeStart(extent), NULL, &begin);
    chainsi_position last = chainsi_parse_place(reader, clang_getRangeEnd(extent), NULL, &end);
    position.length = last.line == position.line && end > begin ? (int)(end - begin) : 1;
    return position;
}

static void store(config_evaluation *evaluation, const config_slot *slot, CXCursor value)
{
    chainsi_reader *reader = evaluation->reader;
    long long size = clang_Type_getSizeOf(slot->type);
    if (size <= 0 || slot->offset + (size_t)size > evaluation->size)
        return;
    char *target = evaluation->config + slot->offset;
    CXEvalResult result = clang_Cursor_Evaluate(value);
    CXEvalResultKind kind = result ? clang_EvalResult_getKind(result) : CXEval_UnExposed;
    bool understood = true;
    if (slot->type.kind == CXType_Pointer && kind == CXEval_StrLiteral) {
        *(const char **)(void *)target =
            chainsi_arena_strdup(reader->arena, clang_EvalResult_getAsStr(result));
    } else if (slot->type.kind == CXType_Pointer) {
        understood = kind == CXEval_Int && clang_EvalResult_getAsLongLong(result) == 0;
        if (kind == CXEval_UnExposed) { /* ((void *)0) */
            CXCursor inner = value;
            for (child_list list = list_children(reader, inner); list.count == 1;
                 list = list_children(reader, inner))
                inner = list.items[0];
            CXEvalResult zero = clang_Cursor_Evaluate(inner);
            understood = zero && clang_EvalResult_getKind(zero) == CXEval_Int &&
                         clang_EvalResult_getAsLongLong(zero) == 0;
            if (zero)
                clang_EvalResult_dispose(zero);
        }
    } else if (slot->type.kind == CXType_Double && (kind == CXEval_Float || kind == CXEval_Int)) {
        double number = kind == CXEval_Float ? clang_EvalResult_getAsDouble(result)
                                             : (double)clang_EvalResult_getAsLongLong(result);
        memcpy(target, &number, sizeof number);
    } else if (kind == CXEval_Int) {
        long long number = clang_EvalResult_getAsLongLong(result);
        if (slot->type.kind == CXType_Bool) {
            *(bool *)target = number != 0;
        } else if (size == sizeof(int)) {
            int small = (int)number;
            memcpy(target, &small, sizeof small);
        } else if (size == sizeof number) {
            memcpy(target, &number, sizeof number);
        }
    } else {
        understood = false;
    }
    if (result)
        clang_EvalResult_dispose(result);
    chainsi_position position = value_position(reader, value);
    if (!understood && !chainsi_parse_has_error(reader, chainsi_parse_region(reader, value), false))
        CHAINSI_ERROR(reader, position,
                      "write the value itself here, or a macro that stands for it",
                      "the value of '%s' can't be read from the header alone", slot->path);
    chainsi_config_options *read = evaluation->read;
    CHAINSI_MAKE_ROOM(reader, read->items, read->count, read->capacity);
    read->items[read->count++] = (chainsi_option){ slot->path, slot->offset, position };
}

static bool is_aggregate(CXType type)
{
    return is_array(type) || type.kind == CXType_Record;
}

static void read_list(config_evaluation *evaluation, const config_slot *whole, CXCursor list);

static bool is_list(CXCursor cursor)
{
    return clang_getCursorKind(cursor) == CXCursor_InitListExpr;
}

/* A designated initializer, `.a.b[2] = value`, is an expression of no type whose children are the
 * designators and the value. */
static bool is_designated(CXCursor cursor)
{
    return !is_list(cursor) && clang_getCursorType(cursor).kind == CXType_Void;
}

/* Gives values from items[*at] on to a part. Braces inside may be left out. */
static void fill(config_evaluation *evaluation, const config_slot *part, const child_list *items,
                 size_t *at)
{
    CXCursor value = items->items[*at];
    if (is_list(value)) {
        ++*at;
        if (is_aggregate(part->type)) {
            read_list(evaluation, part, value);
            return;
        }
        child_list inner = list_children(evaluation->reader, value); /* { 3 } for a number */
        if (inner.count)
            store(evaluation, part, inner.items[0]);
    } else if (!is_aggregate(part->type)) {
        ++*at;
        store(evaluation, part, value);
    } else {
        config_slot inner;
        for (size_t i = 0; *at < items->count && !is_designated(items->items[*at]) &&
                           sub_slot(evaluation, part, i, &inner);
             i++)
            fill(evaluation, &inner, items, at);
    }
}

static size_t read_designated(config_evaluation *evaluation, const config_slot *whole,
                              CXCursor cursor, size_t next)
{
    chainsi_reader *reader = evaluation->reader;
    child_list parts = list_children(reader, cursor);
    config_slot part = *whole;
    for (size_t i = 0; i + 1 < parts.count; i++) {
        if (clang_getCursorKind(parts.items[i]) == CXCursor_MemberRef) {
            CXCursor field = clang_getCursorReferenced(parts.items[i]);
            if (i == 0) {
                child_list fields = list_fields(reader, whole->type);
                for (next = 0; next < fields.count; next++)
                    if (clang_equalCursors(fields.items[next], field))
                        break;
            }
            part = field_slot(evaluation, &part, field);
        } else if (is_array(part.type)) {
            CXEvalResult result = clang_Cursor_Evaluate(parts.items[i]);
            size_t index = result ? (size_t)clang_EvalResult_getAsUnsigned(result) : 0;
            if (result)
                clang_EvalResult_dispose(result);
            if (i == 0)
                next = index;
            part = element_slot(evaluation, &part, index);
        } else {
            return next;
        }
    }
    if (parts.count > 1) {
        child_list value = { .reader = reader, .items = &parts.items[parts.count - 1], .count = 1 };
        size_t at = 0;
        fill(evaluation, &part, &value, &at);
    }
    return next + 1;
}

static void read_list(config_evaluation *evaluation, const config_slot *whole, CXCursor list)
{
    child_list items = list_children(evaluation->reader, list);
    size_t next = 0;
    for (size_t at = 0; at < items.count;) {
        config_slot part;
        if (is_designated(items.items[at])) {
            next = read_designated(evaluation, whole, items.items[at++], next);
        } else if (sub_slot(evaluation, whole, next, &part)) {
            if (whole->path[0] == '\0') {
                CHAINSI_ERROR(
                    evaluation->reader, value_position(evaluation->reader, items.items[at]),
                    CHAINSI_TEXT(evaluation->reader, "write its name: '%s = ...'", part.path),
                    "an option of %s without its name", evaluation->macro);
                at++;
                continue;
            }
            fill(evaluation, &part, &items, &at);
            next++;
        } else {
            return; /* too many, which clang says */
        }
    }
}

/* Where the braces of the initializer begin: clang wraps it while a part is in error. */
static bool find_list(chainsi_reader *reader, CXCursor cursor, CXCursor *list)
{
    if (is_list(cursor)) {
        *list = cursor;
        return true;
    }
    child_list inner = list_children(reader, cursor);
    for (size_t i = 0; i < inner.count; i++)
        if (clang_isExpression(clang_getCursorKind(inner.items[i])) &&
            find_list(reader, inner.items[i], list))
            return true;
    return false;
}

/* --- misspelt options, which clang finds: said in our words, with the nearest one */

typedef struct known_options {
    const char **names, **paths;
    size_t count, capacity, path_capacity;
} known_options;

static void collect_options(chainsi_reader *reader, CXType type, const char *path,
                            known_options *known)
{
    child_list fields = list_fields(reader, type);
    for (size_t i = 0; i < fields.count; i++) {
        const char *name = chainsi_parse_take(reader, clang_getCursorSpelling(fields.items[i]));
        CXType inner = clang_getCanonicalType(clang_getCursorType(fields.items[i]));
        const char *whole = CHAINSI_TEXT(reader, "%s.%s", path, name);
        if (name[strlen(name) - 1] == '_')
            continue; /* the macros' own */
        CHAINSI_MAKE_ROOM(reader, known->names, known->count, known->capacity);
        if (known->count == known->path_capacity)
            known->paths = chainsi_reader_grow(reader, known->paths, known->count,
                                               &known->path_capacity, sizeof *known->paths);
        known->names[known->count] = name;
        known->paths[known->count++] = whole;
        if (inner.kind == CXType_Record)
            collect_options(reader, inner, whole, known);
        else if (is_array(inner))
            collect_options(reader, clang_getArrayElementType(inner), whole, known);
    }
}

static void explain_options(chainsi_reader *reader, CXCursor variable, const char *macro)
{
    static const char begin[] = "field designator '";
    chainsi_region region = chainsi_parse_region(reader, variable);
    for (size_t i = 0; i < reader->error_count; i++) {
        chainsi_clang_error *error = &reader->errors[i];
        if (error->explained || error->header != region.header || error->offset < region.begin ||
            error->offset >= region.end || strncmp(error->message, begin, sizeof begin - 1) != 0)
            continue;
        const char *name = error->message + sizeof begin - 1;
        name = chainsi_arena_copy(reader->arena, name, strcspn(name, "'"));
        known_options known = { 0 };
        collect_options(reader, clang_getCursorType(variable), "", &known);
        const char *nearest = chainsi_names_nearest(name, known.names, known.count);
        const char *hint = NULL;
        for (size_t k = 0; nearest && k < known.count && !hint; k++)
            if (known.names[k] == nearest)
                hint = CHAINSI_TEXT(reader, "did you mean '%s'?", known.paths[k]);
        error->explained = true;
        chainsi_position position = error->position;
        if (error->offset && reader->headers.items[error->header].text[error->offset] == '.') {
            position.length = (int)strlen(name) + 1;
        } else {
            position.length = (int)strlen(name);
        }
        CHAINSI_ERROR(reader, position, hint, "'%s' is no option of %s", name, macro);
    }
}

bool chainsi_config_evaluate(chainsi_reader *reader, CXCursor variable, const char *macro,
                             void *config, size_t size, chainsi_config_options *read)
{
    explain_options(reader, variable, macro);
    CXType type = clang_getCanonicalType(clang_getCursorType(variable));
    CXCursor list;
    if (clang_Type_getSizeOf(type) != (long long)size) {
        CHAINSI_ERROR(reader, read->fallback, "use the chains.h that came with this program",
                      "chains.h and this program are of different versions");
        return false;
    }
    if (!find_list(reader, clang_Cursor_getVarDeclInitializer(variable), &list))
        return false;
    config_evaluation evaluation = { reader, macro, config, size, read };
    config_slot whole = { type, 0, "" };
    read_list(&evaluation, &whole, list);
    return true;
}

chainsi_position chainsi_config_place(const chainsi_config_options *read, size_t offset)
{
    for (size_t i = 0; i < read->count; i++)
        if (read->items[i].offset == offset)
            return read->items[i].position;
    return read->fallback;
}

void chainsi_config_read(chainsi_reader *reader, chainsi_reading *reading)
{
    chainsi_model_chainlet *chainlet = reading->chainlet;
    chainsi_config_options read = { .fallback = chainlet->position };
    if (clang_Cursor_isNull(reading->config))
        return;
    if (chainlet->external) {
        chainsi_config_evaluate(reader, reading->config, "CHAINLET_EXTERNAL",
                                &chainlet->external_config, sizeof chainlet->external_config,
                                &read);
        if (chainlet->external_config.name)
            chainlet->wire_name = chainlet->external_config.name;
        chainsi_check_external(reader, chainlet, &read);
    } else {
        chainsi_config_evaluate(reader, reading->config, "CHAINLET", &chainlet->config,
                                sizeof chainlet->config, &read);
        if (chainlet->config.name)
            chainlet->wire_name = chainlet->config.name;
        chainsi_check_config(reader, chainlet, &read);
    }
}

bool chainsi_config_depends(chainsi_reader *reader, const chainsi_model_chainlet *caller,
                            const chainsi_model_chainlet *callee, chains_depends_config *options)
{
    const char *name = CHAINSI_TEXT(reader, "%s:%s", caller->c_name, callee->c_name);
    for (size_t i = 0; i < reader->depends_count; i++) {
        if (strcmp(reader->depends[i].name, name) != 0)
            continue;
        chainsi_config_options read = { .fallback = chainsi_parse_position(
                                            reader, reader->depends[i].cursor) };
        read.fallback.length = (int)strlen("CHAINS_DEPENDS");
        chainsi_config_evaluate(reader, reader->depends[i].cursor, "CHAINS_DEPENDS", options,
                                sizeof *options, &read);
        chainsi_check_depends(reader, callee, options, &read);
        return true;
    }
    return false;
}
