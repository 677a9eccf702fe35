/* Finding an entry function of a Chainlet, and the checks that all of them share. */
#include "compiler/entry.h"

#include <string.h>

static const chainsi_named_cursor *find_function(const chainsi_reader *reader, const char *name)
{
    for (size_t i = 0; i < reader->function_count; i++)
        if (!strcmp(reader->functions[i].name, name))
            return &reader->functions[i];
    return NULL;
}

/* Is it a pointer to the struct of this tag, and not to a const one? */
bool chainsi_entry_points_to(CXType type, const char *tag)
{
    CXType pointer = clang_getCanonicalType(type);
    if (pointer.kind != CXType_Pointer)
        return false;
    CXType target = clang_getCanonicalType(clang_getPointeeType(pointer));
    if (target.kind != CXType_Record || clang_isConstQualifiedType(target))
        return false;
    CXString spelling = clang_getCursorSpelling(clang_getTypeDeclaration(target));
    bool same = !strcmp(clang_getCString(spelling), tag);
    clang_disposeString(spelling);
    return same;
}

bool chainsi_entry_is_status(CXType type)
{
    CXType canonical = clang_getCanonicalType(type);
    if (canonical.kind != CXType_Enum)
        return false;
    CXString spelling = clang_getCursorSpelling(clang_getTypeDeclaration(canonical));
    bool same = !strcmp(clang_getCString(spelling), "chains_status");
    clang_disposeString(spelling);
    return same;
}

/* Finds a function of a Chainlet. Reports it if it is missing and needed. */
bool chainsi_entry_open(chainsi_reader *reader, const chainsi_reading *reading, const char *suffix,
                        const char *needed, chainsi_model_function *function,
                        chainsi_entry *prototype)
{
    const chainsi_model_chainlet *chainlet = reading->chainlet;
    prototype->name = CHAINSI_TEXT(reader, "%s%s", chainlet->c_name, suffix);
    const chainsi_named_cursor *found = find_function(reader, prototype->name);
    if (!found) {
        if (needed)
            CHAINSI_ERROR(reader, chainlet->position,
                          CHAINSI_TEXT(reader, "declare '%s' in %s", needed, chainlet->header),
                          "'%s' has no '%s'", chainlet->c_name, prototype->name);
        return false;
    }
    prototype->cursor = found->cursor;
    prototype->position = chainsi_parse_position(reader, found->cursor);
    int count = clang_Cursor_getNumArguments(found->cursor);
    prototype->parameter_count = count > 0 ? (size_t)count : 0;
    chainsi_region region = chainsi_parse_region(reader, found->cursor);
    chainsi_parse_concerns(reader, region);
    prototype->broken = chainsi_parse_has_error(reader, region, false);
    prototype->comment = chainsi_comment_before(reader, region.header, region.begin);
    function->position = prototype->position;
    function->doc = chainsi_comment_summary(reader, prototype->comment);
    if (!prototype->broken && (clang_isFunctionTypeVariadic(clang_getCursorType(found->cursor)))) {
        CHAINSI_ERROR(
            reader, prototype->position, "name every parameter; for many values use a list",
            "'%s' ends in '...', so that nothing tells what it is called with", prototype->name);
        prototype->broken = true;
    }
    return true;
}

CXCursor chainsi_entry_parameter(const chainsi_entry *prototype, size_t i)
{
    return clang_Cursor_getArgument(prototype->cursor, (unsigned)i);
}

bool chainsi_entry_has_error(chainsi_reader *reader, CXCursor cursor)
{
    chainsi_region region = chainsi_parse_region(reader, cursor);
    region.end++;
    return chainsi_parse_has_error(reader, region, false);
}

/* Checks the result of a function. wanted is its spelling, said in the hint. */
void chainsi_entry_check_result(chainsi_reader *reader, const chainsi_entry *prototype, bool right,
                                const char *wanted)
{
    CXType type = clang_getCursorResultType(prototype->cursor);
    if (right || prototype->broken)
        return;
    CHAINSI_ERROR(reader, prototype->position,
                  CHAINSI_TEXT(reader, "write '%s%s%s(...)'", wanted,
                               wanted[strlen(wanted) - 1] == '*' ? "" : " ", prototype->name),
                  "'%s' returns '%s' instead of '%s'", prototype->name,
                  chainsi_types_spell(reader, type), wanted);
}

/* Checks that parameter i points to the struct `tag`. what: "the Chainlet itself". */
bool chainsi_entry_check_parameter(chainsi_reader *reader, const chainsi_entry *prototype, size_t i,
                                   const char *tag, const char *declared)
{
    static const char *const ordinals[] = { "first", "second" };
    if (i >= prototype->parameter_count) {
        if (!prototype->broken)
            CHAINSI_ERROR(reader, prototype->position, CHAINSI_TEXT(reader, "write '%s'", declared),
                          "'%s' has no %s parameter: it must be '%s *'", prototype->name,
                          ordinals[i], tag);
        return false;
    }
    CXCursor cursor = chainsi_entry_parameter(prototype, i);
    if (chainsi_entry_points_to(clang_getCursorType(cursor), tag) ||
        chainsi_entry_has_error(reader, cursor))
        return true;
    CHAINSI_ERROR(reader, chainsi_parse_position(reader, cursor),
                  CHAINSI_TEXT(reader, "write '%s'", declared),
                  "the %s parameter of '%s' is '%s' instead of '%s *'", ordinals[i],
                  prototype->name, chainsi_types_spell(reader, clang_getCursorType(cursor)), tag);
    return false;
}

void chainsi_entry_check_last(chainsi_reader *reader, const chainsi_entry *prototype, size_t count,
                              const char *declared)
{
    if (prototype->parameter_count <= count || prototype->broken)
        return;
    CHAINSI_ERROR(reader, chainsi_parse_position(reader, chainsi_entry_parameter(prototype, count)),
                  CHAINSI_TEXT(reader, "write '%s'", declared), "'%s' has a parameter too many",
                  prototype->name);
}

/* A parameter of run_remote is an output if it is a pointer to something that isn't const. */
bool chainsi_entry_is_output(CXType type)
{
    CXType canonical = clang_getCanonicalType(type);
    if (canonical.kind != CXType_Pointer)
        return false;
    CXType target = clang_getCanonicalType(clang_getPointeeType(canonical));
    return !clang_isConstQualifiedType(target) && target.kind != CXType_Void &&
           target.kind != CXType_FunctionProto && target.kind != CXType_FunctionNoProto;
}
