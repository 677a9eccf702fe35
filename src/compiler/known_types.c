/* The types met so far: one object for one type, and their order in the model. */
#include "compiler/types.h"

#include <string.h>

/* --- the list of types */

chainsi_known_type *chainsi_types_add(chainsi_reader *reader, chainsi_kind kind, const char *c_name)
{
    chainsi_model_type *type = chainsi_arena_alloc(reader->arena, sizeof *type);
    type->kind = kind;
    type->c_name = c_name;
    CHAINSI_MAKE_ROOM(reader, reader->types, reader->type_count, reader->type_capacity);
    chainsi_known_type *known = &reader->types[reader->type_count++];
    *known = (chainsi_known_type){ .type = type, .declaration = clang_getNullCursor() };
    return known;
}

const chainsi_model_type *chainsi_types_plain(chainsi_reader *reader, chainsi_kind kind,
                                              const char *c_name)
{
    for (size_t i = 0; i < reader->type_count; i++)
        if (reader->types[i].type->kind == kind && !strcmp(reader->types[i].type->c_name, c_name))
            return reader->types[i].type;
    chainsi_known_type *known = chainsi_types_add(reader, kind, c_name);
    known->complete = true;
    return known->type;
}

chainsi_known_type *chainsi_types_find(chainsi_reader *reader, CXCursor declaration)
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
chainsi_known_type *chainsi_types_declare(chainsi_reader *reader, chainsi_kind kind,
                                          CXCursor declaration, const char *keyword,
                                          const char *unnamed)
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
    chainsi_known_type *known = chainsi_types_add(reader, kind,
                                                  c_name    ? c_name
                                                  : unnamed ? unnamed
                                                            : "(unnamed)");
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

/* --- the model's list: items before what contains them */

static chainsi_known_type *find_known(chainsi_reader *reader, const chainsi_model_type *type)
{
    for (size_t i = 0; i < reader->type_count; i++)
        if (reader->types[i].type == type)
            return &reader->types[i];
    return NULL;
}

static void list_type(chainsi_reader *reader, const chainsi_model_type *type,
                      const chainsi_model_type **list, size_t *count)
{
    chainsi_known_type *known = type ? find_known(reader, type) : NULL;
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
