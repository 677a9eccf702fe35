/* C types to the types of the model. One C type gives one object, however often it is mentioned.
 * What can't travel is refused where the author wrote it: at a field's own line if its struct is
 * declared in the chain, else at the place that mentions the foreign struct. */
#include "compiler/reader.h"

#include <string.h>

enum { MAX_TYPE_DEPTH = 200 };

/* A type with what tells it from others. */
struct chainsi_known_type {
    chainsi_model_type *type;
    CXCursor declaration; /* of a struct, enum, list or map; null for the rest */
    bool constant;        /* POINTER: to const */
    bool failed;          /* part of it can't travel, which was reported */
    bool complete;        /* all of its fields were read */
    bool listed;          /* it has its place in the model's order */
};

typedef struct chainsi_known_type known_type;

static const char *const ready_lists[] = {
    [CHAINSI_BOOL] = "chains_bool_list",     [CHAINSI_INT8] = "chains_int8_list",
    [CHAINSI_INT16] = "chains_int16_list",   [CHAINSI_INT32] = "chains_int32_list",
    [CHAINSI_INT64] = "chains_int64_list",   [CHAINSI_UINT8] = "chains_uint8_list",
    [CHAINSI_UINT16] = "chains_uint16_list", [CHAINSI_UINT32] = "chains_uint32_list",
    [CHAINSI_UINT64] = "chains_uint64_list", [CHAINSI_FLOAT] = "chains_float_list",
    [CHAINSI_DOUBLE] = "chains_double_list", [CHAINSI_STRING] = "chains_string_list",
    [CHAINSI_BYTES] = "chains_bytes_list",
};

const char *chainsi_types_ready_list(chainsi_kind kind)
{
    return kind < sizeof ready_lists / sizeof *ready_lists ? ready_lists[kind] : NULL;
}

static const char *skip_qualifiers(const char *text)
{
    static const char *const words[] = { "const ", "volatile ", "restrict " };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strncmp(text, words[i], strlen(words[i]))) {
            text += strlen(words[i]);
            i = SIZE_MAX; /* from the start again */
        }
    return text;
}

const char *chainsi_types_spell(chainsi_reader *reader, CXType type)
{
    char *text =
        CHAINSI_TEXT(reader, "%s", chainsi_parse_take(reader, clang_getTypeSpelling(type)));
    CXType canonical = clang_getCanonicalType(type);
    if (strstr(text, "(unnamed") || strstr(text, "(anonymous"))
        return clang_getCursorKind(clang_getTypeDeclaration(canonical)) == CXCursor_UnionDecl
                   ? "unnamed union"
                   : "unnamed struct";
    for (char *at; (at = strstr(text, "_Bool"));) { /* what stdbool.h makes of bool */
        memcpy(at, "bool", 4);
        memmove(at + 4, at + 5, strlen(at + 5) + 1);
    }
    /* "const" in front belongs to what a pointer points to, or to items, and stays. */
    bool compound = canonical.kind == CXType_Pointer || canonical.kind == CXType_ConstantArray ||
                    canonical.kind == CXType_IncompleteArray;
    return compound ? text : skip_qualifiers(text);
}

static CXCursor declaration_of(CXType type)
{
    return clang_getTypeDeclaration(clang_getCanonicalType(type));
}

bool chainsi_types_is(chainsi_reader *reader, CXType type, const char *annotation)
{
    if (clang_getCanonicalType(type).kind != CXType_Record)
        return false;
    return chainsi_annotation_has(reader, declaration_of(type), annotation);
}

const chainsi_reading *chainsi_types_chainlet(chainsi_reader *reader, CXType type)
{
    if (clang_getCanonicalType(type).kind != CXType_Record)
        return NULL;
    CXString spelling = clang_getCursorSpelling(declaration_of(type));
    const chainsi_reading *found = NULL;
    for (size_t i = 0; i < reader->reading_count && !found; i++)
        if (!reader->readings[i].duplicate &&
            !strcmp(reader->readings[i].chainlet->c_name, clang_getCString(spelling)))
            found = &reader->readings[i];
    clang_disposeString(spelling);
    return found;
}

/* --- the list of types */

static known_type *add_type(chainsi_reader *reader, chainsi_kind kind, const char *c_name)
{
    chainsi_model_type *type = chainsi_arena_alloc(reader->arena, sizeof *type);
    type->kind = kind;
    type->c_name = c_name;
    CHAINSI_MAKE_ROOM(reader, reader->types, reader->type_count, reader->type_capacity);
    known_type *known = &reader->types[reader->type_count++];
    *known = (known_type){ .type = type, .declaration = clang_getNullCursor() };
    return known;
}

static const chainsi_model_type *get_plain(chainsi_reader *reader, chainsi_kind kind,
                                           const char *c_name)
{
    for (size_t i = 0; i < reader->type_count; i++)
        if (reader->types[i].type->kind == kind && !strcmp(reader->types[i].type->c_name, c_name))
            return reader->types[i].type;
    known_type *known = add_type(reader, kind, c_name);
    known->complete = true;
    return known->type;
}

static known_type *find_declared(chainsi_reader *reader, CXCursor declaration)
{
    for (size_t i = 0; i < reader->type_count; i++)
        if (!clang_Cursor_isNull(reader->types[i].declaration) &&
            clang_equalCursors(reader->types[i].declaration, declaration))
            return &reader->types[i];
    return NULL;
}

/* The name that a typedef gives to a struct or enum directly, the first one; NULL. */
static const chainsi_named_cursor *find_typedef(chainsi_reader *reader, CXCursor declaration)
{
    for (size_t i = 0; i < reader->typedef_count; i++) {
        CXType type = clang_getTypedefDeclUnderlyingType(reader->typedefs[i].cursor);
        CXType canonical = clang_getCanonicalType(type);
        if (canonical.kind != CXType_Record && canonical.kind != CXType_Enum)
            continue;
        if (clang_equalCursors(clang_getTypeDeclaration(canonical), declaration) &&
            !clang_isConstQualifiedType(canonical))
            return &reader->typedefs[i];
    }
    return NULL;
}

/* Adds a type that has a declaration. unnamed: how to spell it if it has no name. */
static known_type *add_declared(chainsi_reader *reader, chainsi_kind kind, CXCursor declaration,
                                const char *keyword, const char *unnamed)
{
    const chainsi_named_cursor *typedef_ = find_typedef(reader, declaration);
    const char *name = typedef_ ? typedef_->name : NULL;
    const char *c_name = name;
    if (!name && !clang_Cursor_isAnonymous(declaration)) {
        const char *tag = chainsi_parse_take(reader, clang_getCursorSpelling(declaration));
        if (*tag && !strchr(tag, '(')) { /* later versions of clang spell what has no name */
            name = tag;
            c_name = CHAINSI_TEXT(reader, "%s %s", keyword, tag);
        }
    }
    known_type *known = add_type(reader, kind, c_name ? c_name : unnamed ? unnamed : "(unnamed)");
    known->declaration = declaration;
    known->type->name = name;
    size_t header;
    unsigned offset;
    chainsi_region region = chainsi_parse_region(reader, declaration);
    chainsi_position position =
        chainsi_parse_place(reader, clang_getCursorLocation(declaration), &header, &offset);
    if (header != CHAINSI_NO_HEADER) {
        const char *there = reader->headers.items[header].text + offset;
        if (typedef_ && strncmp(there, name, strlen(name)) != 0) /* the name stands at the end */
            position = chainsi_parse_position(reader, typedef_->cursor);
        position.length = name ? (int)strlen(name) : 1;
        known->type->position = position;
        chainsi_parse_concerns(reader, region);
        const char *comment = chainsi_comment_before(reader, header, region.begin);
        if (!comment) { /* the typedef in front of it is part of its line */
            const char *text = reader->headers.items[header].text;
            unsigned begin = region.begin;
            while (begin && strchr(" \t\n", text[begin - 1]))
                begin--;
            if (begin >= 7 && !strncmp(text + begin - 7, "typedef", 7))
                comment = chainsi_comment_before(reader, header, begin - 7);
        }
        known->type->doc = chainsi_comment_summary(reader, comment);
    }
    return known;
}

/* --- what can't travel */

static void refuse(chainsi_reader *reader, const chainsi_type_use *use, CXType type,
                   const char *hint, const char *why)
{
    CHAINSI_ERROR(reader, use->position, hint, "%s'%s' is '%s': %s", use->item ? "an item of " : "",
                  use->what, use->spelled ? use->spelled : chainsi_types_spell(reader, type), why);
}

/* Is it a struct whose fields nobody declares? */
static bool is_incomplete(CXType type)
{
    CXType canonical = clang_getCanonicalType(type);
    return canonical.kind == CXType_Record &&
           clang_Cursor_isNull(clang_getCursorDefinition(clang_getTypeDeclaration(canonical)));
}

static const chainsi_model_type *get(chainsi_reader *reader, CXType type,
                                     const chainsi_type_use *use, int depth);

/* --- enums */

typedef struct enum_walk {
    chainsi_reader *reader;
    chainsi_model_enumerator *values;
    chainsi_position *positions;
    size_t count, capacity, position_capacity;
} enum_walk;

static void read_enumerator(chainsi_reader *reader, const char *text, chainsi_position position,
                            void *user)
{
    chainsi_model_enumerator *value = user;
    if (!strncmp(text, "name:", 5)) {
        const char *name = chainsi_annotation_name(reader, text + 5, position);
        if (name)
            value->wire_name = name;
        return;
    }
    static const char *const macros[][2] = { { "default", "CHAINS_DEFAULT" },
                                             { "optional", "CHAINS_OPTIONAL" },
                                             { "range", "CHAINS_RANGE" },
                                             { "length", "CHAINS_LENGTH" },
                                             { "one_of", "CHAINS_ONE_OF" } };
    for (size_t i = 0; i < sizeof macros / sizeof *macros; i++)
        if (!strncmp(text, macros[i][0], strlen(macros[i][0])))
            CHAINSI_ERROR(reader, position, "leave it out; an enumerator can have a CHAINS_NAME",
                          "%s doesn't apply to the enumerator '%s'", macros[i][1], value->c_name);
}

static enum CXChildVisitResult visit_enumerator(CXCursor cursor, CXCursor parent, CXClientData data)
{
    (void)parent;
    enum_walk *walk = data;
    chainsi_reader *reader = walk->reader;
    if (clang_getCursorKind(cursor) != CXCursor_EnumConstantDecl)
        return CXChildVisit_Continue;
    chainsi_region region = chainsi_parse_region(reader, cursor);
    const char *name = chainsi_parse_take(reader, clang_getCursorSpelling(cursor));
    const char *comment = NULL;
    if (region.header != CHAINSI_NO_HEADER) {
        comment = chainsi_comment_after(reader, region.header, region.end);
        if (!comment)
            comment = chainsi_comment_before(reader, region.header, region.begin);
    }
    chainsi_model_enumerator value = { .c_name = name,
                                       .wire_name = name,
                                       .doc = chainsi_comment_summary(reader, comment),
                                       .value = clang_getEnumConstantDeclValue(cursor) };
    chainsi_position position = chainsi_parse_position(reader, cursor);
    chainsi_annotation_each(reader, cursor, read_enumerator, &value);
    for (size_t i = 0; i < walk->count; i++)
        if (!strcmp(walk->values[i].wire_name, value.wire_name))
            CHAINSI_ERROR(reader, position, "give one of them another CHAINS_NAME",
                          "'%s' and '%s' have the same name on the wire: \"%s\"",
                          walk->values[i].c_name, value.c_name, value.wire_name);
    CHAINSI_MAKE_ROOM(reader, walk->values, walk->count, walk->capacity);
    walk->values[walk->count++] = value;
    return CXChildVisit_Continue;
}

static const chainsi_model_type *get_enum(chainsi_reader *reader, CXType type,
                                          const chainsi_type_use *use)
{
    CXCursor declaration = clang_getTypeDeclaration(type);
    known_type *known = find_declared(reader, declaration);
    if (known)
        return known->type;
    enum_walk walk = { .reader = reader };
    clang_visitChildren(declaration, visit_enumerator, &walk);
    known = add_declared(reader, CHAINSI_ENUM, declaration, "enum", use->unnamed);
    known->complete = true;
    known->type->values = walk.values;
    known->type->value_count = walk.count;
    return known->type;
}

/* --- structs */

typedef struct field_walk {
    chainsi_reader *reader;
    CXCursor *fields;
    size_t count, capacity;
} field_walk;

static enum CXVisitorResult visit_field(CXCursor cursor, CXClientData data)
{
    field_walk *walk = data;
    CHAINSI_MAKE_ROOM(walk->reader, walk->fields, walk->count, walk->capacity);
    walk->fields[walk->count++] = cursor;
    return CXVisit_Continue;
}

static enum CXChildVisitResult visit_broken_field(CXCursor cursor, CXCursor parent,
                                                  CXClientData data)
{
    (void)parent;
    if (clang_getCursorKind(cursor) == CXCursor_FieldDecl)
        visit_field(cursor, data);
    return CXChildVisit_Continue;
}

/* The fields of a struct, also of one with an error in it. */
static field_walk list_fields(chainsi_reader *reader, CXType record)
{
    field_walk walk = { .reader = reader };
    clang_Type_visitFields(record, visit_field, &walk);
    if (!walk.count)
        clang_visitChildren(clang_getCursorDefinition(clang_getTypeDeclaration(record)),
                            visit_broken_field, &walk);
    return walk;
}

static CXType field_type(chainsi_reader *reader, CXType record, const char *name)
{
    field_walk walk = list_fields(reader, record);
    for (size_t i = 0; i < walk.count; i++) {
        CXString spelling = clang_getCursorSpelling(walk.fields[i]);
        bool same = !strcmp(clang_getCString(spelling), name);
        clang_disposeString(spelling);
        if (same)
            return clang_getCursorType(walk.fields[i]);
    }
    return (CXType){ .kind = CXType_Invalid };
}

/* Reads one field; false if it can't travel. */
static bool read_field(chainsi_reader *reader, CXCursor cursor, const chainsi_model_type *owner,
                       const chainsi_type_use *use, chainsi_model_field *field, int depth)
{
    chainsi_region region = chainsi_parse_region(reader, cursor);
    bool ours = region.header != CHAINSI_NO_HEADER;
    CXType type = clang_getCursorType(cursor);
    field->c_name = field->wire_name = chainsi_parse_take(reader, clang_getCursorSpelling(cursor));
    field->position = ours ? chainsi_parse_position(reader, cursor) : use->position;
    if (!*field->c_name) {
        CHAINSI_ERROR(reader, field->position, "give it a name, behind the closing brace",
                      "'%s' has an %s without a name of its own", owner->c_name,
                      chainsi_types_spell(reader, type));
        return false;
    }
    chainsi_type_use own = { .what = field->c_name, .position = field->position };
    if (!ours) /* a foreign struct: say whose field it is */
        own.what = CHAINSI_TEXT(reader, "%s.%s", use->what, field->c_name);
    if (owner->c_name[0] != '(')
        own.unnamed =
            CHAINSI_TEXT(reader, "__typeof__(((%s *)0)->%s)", owner->c_name, field->c_name);
    if (ours) {
        const char *comment = chainsi_comment_after(reader, region.header, region.end);
        if (!comment)
            comment = chainsi_comment_before(reader, region.header, region.begin);
        field->doc = chainsi_comment_summary(reader, comment);
    }
    chainsi_annotation_read(reader, cursor, field);
    own.optional = field->optional;
    if (clang_Cursor_isBitField(cursor)) {
        CHAINSI_ERROR(reader, field->position, "write a whole number, or a bool, without the colon",
                      "'%s' is a bit-field: nothing can point to it", own.what);
        return false;
    }
    CXType canonical = clang_getCanonicalType(type);
    if (canonical.kind == CXType_Record) {
        CXCursor declaration = clang_getTypeDeclaration(canonical);
        known_type *known = find_declared(reader, declaration);
        if (known && known->type == owner) {
            chainsi_parse_has_error(
                reader, (chainsi_region){ region.header, region.begin, region.end + 1 }, true);
            CHAINSI_ERROR(reader, field->position,
                          CHAINSI_TEXT(reader,
                                       "point to it: 'const %s *%s CHAINS_OPTIONAL', or "
                                       "keep a list of them",
                                       owner->c_name, field->c_name),
                          "'%s' would contain itself", owner->c_name);
            return false;
        }
    }
    if (ours && chainsi_parse_has_error(
                    reader, (chainsi_region){ region.header, region.begin, region.end + 1 }, false))
        return false; /* clang says it */
    field->type = get(reader, type, &own, depth + 1);
    if (!field->type)
        return false;
    if (owner->name && field->type->name && !strcmp(field->c_name, field->type->name) && ours)
        CHAINSI_ERROR(reader, field->position,
                      CHAINSI_TEXT(reader,
                                   "call it '%s_', or something that says what it is for, "
                                   "and keep its name on the wire with CHAINS_NAME(\"%s\")",
                                   field->c_name, field->c_name),
                      "'%s' has the name of its own type, which C++ refuses", field->c_name);
    chainsi_annotation_check(reader, field, type, CHAINSI_IN_STRUCT);
    return true;
}

/* A struct of a library's header: one diagnostic for it, where the author mentions it, instead of
 * what was said of its fields. */
static void refuse_foreign(chainsi_reader *reader, const chainsi_type_use *use, CXType type,
                           size_t said)
{
    const char *why = said < reader->diagnostics->count ? reader->diagnostics->items[said].message
                                                        : "it has an error";
    reader->diagnostics->count = said;
    refuse(reader, use, type,
           "pass what it stands for, such as a path or an id, or a struct of your own",
           CHAINSI_TEXT(reader, "it is declared outside of the chain and can't travel (%s)", why));
}

static const chainsi_model_type *get_struct(chainsi_reader *reader, CXType type,
                                            const chainsi_type_use *use, int depth)
{
    CXCursor declaration = clang_getTypeDeclaration(type);
    known_type *known = find_declared(reader, declaration);
    if (known)
        return known->failed ? NULL : known->type; /* perhaps still being read: recursion */
    field_walk walk = list_fields(reader, type);
    known = add_declared(reader, CHAINSI_STRUCT, declaration, "struct", use->unnamed);
    size_t at = (size_t)(known - reader->types); /* the list may move */
    chainsi_model_type *result = known->type;
    chainsi_model_field *fields = chainsi_arena_array(reader->arena, walk.count, sizeof *fields);
    size_t said = reader->diagnostics->count;
    bool good = true;
    if (!walk.count) {
        CHAINSI_ERROR(reader, result->position.file ? result->position : use->position,
                      "give it a field, or leave it out", "'%s' has no fields", result->c_name);
        good = false;
    }
    bool foreign = !result->position.file;
    for (size_t i = 0; i < walk.count && (good || !foreign); i++) {
        good &= read_field(reader, walk.fields[i], result, use, &fields[i], depth);
        for (size_t k = 0; k < i; k++)
            if (!strcmp(fields[k].wire_name, fields[i].wire_name))
                CHAINSI_ERROR(reader, fields[i].position, "give one of them another CHAINS_NAME",
                              "'%s' and '%s' have the same name on the wire: \"%s\"",
                              fields[k].c_name, fields[i].c_name, fields[i].wire_name);
    }
    if (!good && foreign)
        refuse_foreign(reader, use, type, said);
    result->fields = fields;
    result->field_count = walk.count;
    reader->types[at].failed = !good;
    reader->types[at].complete = true;
    return good ? result : NULL;
}

/* --- lists and maps */

static const chainsi_model_type *get_shape(chainsi_reader *reader, CXType type, chainsi_kind kind,
                                           const chainsi_type_use *use, int depth)
{
    CXCursor declaration = clang_getTypeDeclaration(type);
    known_type *known = find_declared(reader, declaration);
    if (known)
        return known->failed ? NULL : known->type;
    CXType entry = clang_getPointeeType(clang_getCanonicalType(field_type(reader, type, "items")));
    CXType item = kind == CHAINSI_MAP ? field_type(reader, entry, "value") : entry;
    known = add_declared(reader, kind, declaration, "struct", NULL);
    size_t at = (size_t)(known - reader->types);
    chainsi_model_type *result = known->type;
    if (kind == CHAINSI_MAP)
        result->entry_c_name = chainsi_types_spell(reader, clang_getCanonicalType(entry));
    chainsi_type_use own = { .what = result->c_name,
                             .position = result->position.file ? result->position : use->position };
    if (result->position.file &&
        chainsi_parse_has_error(reader, chainsi_parse_region(reader, declaration), false)) {
        reader->types[at].failed = true; /* clang says it */
    } else if (item.kind == CXType_Invalid) {
        reader->types[at].failed = true;
        CHAINSI_ERROR(reader, own.position, NULL, "'%s' can't be read", result->c_name);
    } else {
        own.item = true;
        result->item = get(reader, item, &own, depth + 1);
        reader->types[at].failed = !result->item;
    }
    reader->types[at].complete = true;
    return reader->types[at].failed ? NULL : result;
}

const chainsi_model_type *chainsi_types_stream_item(chainsi_reader *reader, CXType type,
                                                    const chainsi_type_use *use)
{
    CXType function = clang_getPointeeType(
        clang_getCanonicalType(field_type(reader, clang_getCanonicalType(type), "emit")));
    CXType item = clang_getArgType(clang_getCanonicalType(function), 1);
    chainsi_type_use own = *use;
    CXCursor declaration = declaration_of(type);
    chainsi_region region = chainsi_parse_region(reader, declaration);
    chainsi_parse_concerns(reader, region);
    if (item.kind == CXType_Invalid ||
        (region.header != CHAINSI_NO_HEADER && chainsi_parse_has_error(reader, region, false)))
        return NULL; /* clang says it */
    if (region.header != CHAINSI_NO_HEADER)
        own.position = chainsi_parse_position(reader, declaration);
    own.what = chainsi_types_spell(reader, type);
    own.item = true;
    own.parameter = false;
    return get(reader, item, &own, 0);
}

/* --- pointers */

static const chainsi_model_type *get_pointer(chainsi_reader *reader, CXType type,
                                             const chainsi_type_use *use, int depth)
{
    /* A typedef of a pointer hides what it points to, an ordinary one shows how that was written. */
    CXType target =
        clang_getPointeeType(type.kind == CXType_Pointer ? type : clang_getCanonicalType(type));
    CXType canonical = clang_getCanonicalType(target);
    bool constant = clang_isConstQualifiedType(canonical);
    if (canonical.kind == CXType_Char_S || canonical.kind == CXType_Char_U) {
        if (constant)
            return get_plain(reader, CHAINSI_STRING, "const char *");
        refuse(reader, use, type,
               use->output ? CHAINSI_TEXT(reader, "write 'const char **%s'", use->what)
                           : "write 'const char *'",
               "text is handed over to be read, not to be written to");
        return NULL;
    }
    if (canonical.kind == CXType_Void) {
        refuse(reader, use, type, "pass a 'chains_bytes' for bytes, or a struct for what is known",
               "nothing tells what it points to");
        return NULL;
    }
    if (canonical.kind == CXType_FunctionProto || canonical.kind == CXType_FunctionNoProto) {
        refuse(reader, use, type,
               "to hand out items as they come use CHAINS_STREAM; otherwise make it a Chainlet",
               "a function can't travel to another process");
        return NULL;
    }
    if (chainsi_types_chainlet(reader, canonical)) {
        refuse(reader, use, type, CHAINSI_TEXT(reader, "make it a dependency: a parameter of _new"),
               "a Chainlet is not data");
        return NULL;
    }
    if (canonical.kind == CXType_Pointer) {
        CXType inner = clang_getCanonicalType(clang_getPointeeType(canonical));
        bool text = inner.kind == CXType_Char_S || inner.kind == CXType_Char_U;
        refuse(reader, use, type,
               text ? "pass a 'chains_string_list'" : "declare a list of it with CHAINS_LIST",
               text ? "nothing tells how many texts it points to"
                    : "nothing tells how many pointers it points to");
        return NULL;
    }
    if (is_incomplete(canonical)) {
        refuse(reader, use, type,
               "declare the struct's fields in a header of the chain, or pass what it stands for, "
               "such as a path or an id",
               "its contents aren't declared, so it can't travel");
        return NULL;
    }
    chainsi_type_use inner = *use;
    inner.unnamed = NULL;
    if (!inner.spelled)
        inner.spelled = chainsi_types_spell(reader, type);
    const chainsi_model_type *item = get(reader, target, &inner, depth + 1);
    if (!item)
        return NULL;
    bool scalar = item->kind <= CHAINSI_DOUBLE || item->kind == CHAINSI_ENUM;
    if (scalar && !use->optional) {
        const char *list = chainsi_types_ready_list(item->kind);
        const char *name = chainsi_types_spell(reader, target);
        const char *many =
            list ? CHAINSI_TEXT(reader, use->parameter ? "pass a '%s'" : "use a '%s'", list)
                 : CHAINSI_TEXT(reader, "declare a list with CHAINS_LIST(%s, %ss)", name, name);
        const char *hint =
            use->item ? many
            : use->parameter && !constant
                ? CHAINSI_TEXT(reader,
                               "%s, or make it an output by placing a non-const pointer last", many)
                : CHAINSI_TEXT(reader,
                               "%s, or write CHAINS_OPTIONAL behind it for one that may be "
                               "absent",
                               many);
        refuse(reader, use, type, hint,
               strpbrk(name, "_ ")
                   ? CHAINSI_TEXT(reader, "nothing tells how many items of '%s' it points to", name)
                   : CHAINSI_TEXT(reader, "nothing tells how many %ss it points to", name));
        return NULL;
    }
    for (size_t i = 0; i < reader->type_count; i++)
        if (reader->types[i].type->kind == CHAINSI_POINTER && reader->types[i].type->item == item &&
            reader->types[i].constant == constant)
            return reader->types[i].type;
    known_type *known =
        add_type(reader, CHAINSI_POINTER,
                 CHAINSI_TEXT(reader, constant ? "const %s *" : "%s *", item->c_name));
    known->constant = constant;
    known->complete = true;
    known->type->item = item;
    return known->type;
}

/* --- all together */

static const chainsi_model_type *get_integer(chainsi_reader *reader, CXType type, bool is_signed)
{
    static const struct {
        const char *name[2]; /* unsigned, signed */
        chainsi_kind kind[2];
    } fixed[] = {
        [1] = { { "uint8_t", "int8_t" }, { CHAINSI_UINT8, CHAINSI_INT8 } },
        [2] = { { "uint16_t", "int16_t" }, { CHAINSI_UINT16, CHAINSI_INT16 } },
        [4] = { { "uint32_t", "int32_t" }, { CHAINSI_UINT32, CHAINSI_INT32 } },
        [8] = { { "uint64_t", "int64_t" }, { CHAINSI_UINT64, CHAINSI_INT64 } },
    };
    long long size = clang_Type_getSizeOf(type);
    if (size != 1 && size != 2 && size != 4 && size != 8)
        return NULL;
    /* long long is 64 bits wide, too, but another type than int64_t: pointers to it differ. */
    const char *name = fixed[size].name[is_signed];
    if (type.kind == CXType_LongLong)
        name = "long long";
    if (type.kind == CXType_ULongLong)
        name = "unsigned long long";
    return get_plain(reader, fixed[size].kind[is_signed], name);
}

static const chainsi_model_type *get_record(chainsi_reader *reader, CXType written,
                                            const chainsi_type_use *use, int depth)
{
    CXType type = clang_getCanonicalType(written);
    CXCursor declaration = clang_getTypeDeclaration(type);
    if (clang_getCursorKind(declaration) == CXCursor_UnionDecl) {
        refuse(reader, use, written,
               "use a struct with an optional pointer for each case, and an enum that says which",
               "of a union nothing tells which member is meant");
        return NULL;
    }
    static const struct {
        const char *name;
        chainsi_kind kind;
    } ready[] = { { "chains_bytes", CHAINSI_BYTES },
                  { "chains_json", CHAINSI_JSON },
                  { "chains_tensor", CHAINSI_TENSOR } };
    CXString spelling = clang_getCursorSpelling(declaration);
    for (size_t i = 0; i < sizeof ready / sizeof *ready; i++)
        if (!strcmp(clang_getCString(spelling), ready[i].name)) {
            clang_disposeString(spelling);
            return get_plain(reader, ready[i].kind, ready[i].name);
        }
    clang_disposeString(spelling);
    if (chainsi_types_is(reader, type, "list"))
        return get_shape(reader, type, CHAINSI_LIST, use, depth);
    if (chainsi_types_is(reader, type, "map"))
        return get_shape(reader, type, CHAINSI_MAP, use, depth);
    if (chainsi_types_is(reader, type, "stream")) {
        refuse(reader, use, written,
               CHAINSI_TEXT(reader, "make it the method's last parameter: '%s *%s'",
                            chainsi_types_spell(reader, written), use->what),
               "a stream is no value");
        return NULL;
    }
    if (chainsi_types_chainlet(reader, type)) {
        refuse(reader, use, written, "make it a dependency: a parameter of _new",
               "a Chainlet is not data");
        return NULL;
    }
    if (is_incomplete(type)) {
        refuse(reader, use, written, "declare its fields in a header of the chain",
               "its contents aren't declared, so it can't travel");
        return NULL;
    }
    return get_struct(reader, type, use, depth);
}

static const chainsi_model_type *get(chainsi_reader *reader, CXType type,
                                     const chainsi_type_use *use, int depth)
{
    CXType canonical = clang_getCanonicalType(type);
    if (depth > MAX_TYPE_DEPTH) {
        refuse(reader, use, type, NULL, "types are nested too deeply");
        return NULL;
    }
    switch ((int)canonical.kind) {
    case CXType_Bool:
        return get_plain(reader, CHAINSI_BOOL, "bool");
    case CXType_SChar:
    case CXType_Short:
    case CXType_Int:
    case CXType_Long:
    case CXType_LongLong:
        return get_integer(reader, canonical, true);
    case CXType_UChar:
    case CXType_UShort:
    case CXType_UInt:
    case CXType_ULong:
    case CXType_ULongLong:
        return get_integer(reader, canonical, false);
    case CXType_Float:
        return get_plain(reader, CHAINSI_FLOAT, "float");
    case CXType_Double:
        return get_plain(reader, CHAINSI_DOUBLE, "double");
    case CXType_Enum:
        return get_enum(reader, canonical, use);
    case CXType_Record:
        return get_record(reader, type, use, depth);
    case CXType_Pointer:
        return get_pointer(reader, type, use, depth);
    case CXType_Char_S:
    case CXType_Char_U:
        refuse(reader, use, type,
               "write 'int8_t' or 'uint8_t' for a number, 'const char *' for text",
               "whether a plain char has a sign depends on the machine");
        return NULL;
    case CXType_LongDouble:
    case CXType_Float128:
    case CXType_Float16:
    case CXType_Half:
    case CXType_Complex:
        refuse(reader, use, type, "write 'double'", "it differs from machine to machine");
        return NULL;
    case CXType_Int128:
    case CXType_UInt128:
        refuse(reader, use, type, "write 'int64_t' or 'uint64_t', or pass it as text",
               "no format carries 128 bits");
        return NULL;
    case CXType_ConstantArray:
    case CXType_IncompleteArray:
    case CXType_VariableArray: {
        CXType item = clang_getCanonicalType(clang_getArrayElementType(canonical));
        bool text = item.kind == CXType_Char_S || item.kind == CXType_Char_U;
        refuse(
            reader, use, type,
            text ? "write 'const char *', with CHAINS_LENGTH for a limit"
                 : CHAINSI_TEXT(reader, "use a list of '%s', such as CHAINS_LIST makes",
                                chainsi_types_spell(reader, clang_getArrayElementType(canonical))),
            "arrays in C lose their length when they are passed");
        return NULL;
    }
    case CXType_FunctionProto:
    case CXType_FunctionNoProto:
        refuse(reader, use, type, "to hand out items as they come use CHAINS_STREAM",
               "a function can't travel to another process");
        return NULL;
    default:
        refuse(reader, use, type,
               "use bool, numbers, 'const char *', chains_bytes, enums, structs, lists or maps",
               "this type can't travel");
        return NULL;
    }
}

const chainsi_model_type *chainsi_types_get(chainsi_reader *reader, CXType type,
                                            const chainsi_type_use *use)
{
    return get(reader, type, use, 0);
}

/* --- the model's list: items before what contains them */

static known_type *find_known(chainsi_reader *reader, const chainsi_model_type *type)
{
    for (size_t i = 0; i < reader->type_count; i++)
        if (reader->types[i].type == type)
            return &reader->types[i];
    return NULL;
}

static void list_type(chainsi_reader *reader, const chainsi_model_type *type,
                      const chainsi_model_type **list, size_t *count)
{
    known_type *known = type ? find_known(reader, type) : NULL;
    if (!known || known->listed)
        return;
    known->listed = true;
    list_type(reader, type->item, list, count);
    for (size_t i = 0; i < type->field_count; i++)
        list_type(reader, type->fields[i].type, list, count);
    known->type->index = *count;
    list[(*count)++] = type;
}

void chainsi_types_finish(chainsi_reader *reader)
{
    const chainsi_model_type **list =
        chainsi_arena_array(reader->arena, reader->type_count, sizeof *list);
    size_t count = 0;
    for (size_t i = 0; i < reader->type_count; i++)
        if (!reader->types[i].failed)
            list_type(reader, reader->types[i].type, list, &count);
    reader->model->types = list;
    reader->model->type_count = count;
}
