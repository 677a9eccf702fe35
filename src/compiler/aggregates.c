/* Types that are made of others: enums, structs, lists, maps, and the items of streams. A struct is
 * known before its fields are read, so that it may point to itself. */
#include "compiler/types.h"

#include <string.h>

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

const chainsi_model_type *chainsi_types_enum(chainsi_reader *reader, CXType type,
                                             const chainsi_type_use *use)
{
    CXCursor declaration = clang_getTypeDeclaration(type);
    chainsi_known_type *known = chainsi_types_find(reader, declaration);
    if (known)
        return known->type;
    enum_walk walk = { .reader = reader };
    clang_visitChildren(declaration, visit_enumerator, &walk);
    known = chainsi_types_declare(reader, CHAINSI_ENUM, declaration, "enum", use->unnamed);
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
        chainsi_known_type *known = chainsi_types_find(reader, declaration);
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
    field->type = chainsi_types_read(reader, type, &own, depth + 1);
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
    chainsi_types_refuse(
        reader, use, type,
        "pass what it stands for, such as a path or an id, or a struct of your own",
        CHAINSI_TEXT(reader, "it is declared outside of the chain and can't travel (%s)", why));
}

const chainsi_model_type *chainsi_types_struct(chainsi_reader *reader, CXType type,
                                               const chainsi_type_use *use, int depth)
{
    CXCursor declaration = clang_getTypeDeclaration(type);
    chainsi_known_type *known = chainsi_types_find(reader, declaration);
    if (known)
        return known->failed ? NULL : known->type; /* perhaps still being read: recursion */
    field_walk walk = list_fields(reader, type);
    known = chainsi_types_declare(reader, CHAINSI_STRUCT, declaration, "struct", use->unnamed);
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

const chainsi_model_type *chainsi_types_shape(chainsi_reader *reader, CXType type,
                                              chainsi_kind kind, const chainsi_type_use *use,
                                              int depth)
{
    CXCursor declaration = clang_getTypeDeclaration(type);
    chainsi_known_type *known = chainsi_types_find(reader, declaration);
    if (known)
        return known->failed ? NULL : known->type;
    CXType entry = clang_getPointeeType(clang_getCanonicalType(field_type(reader, type, "items")));
    CXType item = kind == CHAINSI_MAP ? field_type(reader, entry, "value") : entry;
    known = chainsi_types_declare(reader, kind, declaration, "struct", NULL);
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
        result->item = chainsi_types_read(reader, item, &own, depth + 1);
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
    CXCursor declaration = clang_getTypeDeclaration(clang_getCanonicalType(type));
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
    return chainsi_types_read(reader, item, &own, 0);
}
