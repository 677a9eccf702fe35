/* C types to the types of the model. One C type gives one object, however often it is mentioned.
 * What can't travel is refused where the author wrote it: at a field's own line if its struct is
 * declared in the chain, else at the place that mentions the foreign struct. */
#include "compiler/types.h"

#include <string.h>

enum { MAX_TYPE_DEPTH = 200 };

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
    for (char *at = text; (at = strstr(at, "_Bool")); at += 4) /* what stdbool.h makes of bool */
        if (at == text || at[-1] == ' ') {
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

/* --- what can't travel */

void chainsi_types_refuse(chainsi_reader *reader, const chainsi_type_use *use, CXType type,
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
            return chainsi_types_plain(reader, CHAINSI_STRING, "const char *");
        chainsi_types_refuse(reader, use, type,
                             use->output
                                 ? CHAINSI_TEXT(reader, "write 'const char **%s'", use->what)
                                 : "write 'const char *'",
                             "text is handed over to be read, not to be written to");
        return NULL;
    }
    if (canonical.kind == CXType_Void) {
        chainsi_types_refuse(reader, use, type,
                             "pass a 'chains_bytes' for bytes, or a struct for what is known",
                             "nothing tells what it points to");
        return NULL;
    }
    if (canonical.kind == CXType_FunctionProto || canonical.kind == CXType_FunctionNoProto) {
        chainsi_types_refuse(
            reader, use, type,
            "to hand out items as they come use CHAINS_STREAM; otherwise make it a Chainlet",
            "a function can't travel to another process");
        return NULL;
    }
    if (chainsi_types_chainlet(reader, canonical)) {
        chainsi_types_refuse(reader, use, type,
                             CHAINSI_TEXT(reader, "make it a dependency: a parameter of _new"),
                             "a Chainlet is not data");
        return NULL;
    }
    if (canonical.kind == CXType_Pointer) {
        CXType inner = clang_getCanonicalType(clang_getPointeeType(canonical));
        bool text = inner.kind == CXType_Char_S || inner.kind == CXType_Char_U;
        chainsi_types_refuse(reader, use, type,
                             text ? "pass a 'chains_string_list'"
                                  : "declare a list of it with CHAINS_LIST",
                             text ? "nothing tells how many texts it points to"
                                  : "nothing tells how many pointers it points to");
        return NULL;
    }
    if (is_incomplete(canonical)) {
        chainsi_types_refuse(
            reader, use, type,
            "declare the struct's fields in a header of the chain, or pass what it stands for, "
            "such as a path or an id",
            "its contents aren't declared, so it can't travel");
        return NULL;
    }
    chainsi_type_use inner = *use;
    inner.unnamed = NULL;
    if (!inner.spelled)
        inner.spelled = chainsi_types_spell(reader, type);
    const chainsi_model_type *item = chainsi_types_read(reader, target, &inner, depth + 1);
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
        chainsi_types_refuse(
            reader, use, type, hint,
            strpbrk(name, "_ ")
                ? CHAINSI_TEXT(reader, "nothing tells how many items of '%s' it points to", name)
                : CHAINSI_TEXT(reader, "nothing tells how many %ss it points to", name));
        return NULL;
    }
    for (size_t i = 0; i < reader->type_count; i++)
        if (reader->types[i].type->kind == CHAINSI_POINTER && reader->types[i].type->item == item &&
            reader->types[i].constant == constant)
            return reader->types[i].type;
    chainsi_known_type *known =
        chainsi_types_add(reader, CHAINSI_POINTER,
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
    return chainsi_types_plain(reader, fixed[size].kind[is_signed], name);
}

static const chainsi_model_type *get_record(chainsi_reader *reader, CXType written,
                                            const chainsi_type_use *use, int depth)
{
    CXType type = clang_getCanonicalType(written);
    CXCursor declaration = clang_getTypeDeclaration(type);
    if (clang_getCursorKind(declaration) == CXCursor_UnionDecl) {
        chainsi_types_refuse(
            reader, use, written,
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
            return chainsi_types_plain(reader, ready[i].kind, ready[i].name);
        }
    clang_disposeString(spelling);
    if (chainsi_types_is(reader, type, "list"))
        return chainsi_types_shape(reader, type, CHAINSI_LIST, use, depth);
    if (chainsi_types_is(reader, type, "map"))
        return chainsi_types_shape(reader, type, CHAINSI_MAP, use, depth);
    if (chainsi_types_is(reader, type, "stream")) {
        chainsi_types_refuse(reader, use, written,
                             CHAINSI_TEXT(reader, "make it the method's last parameter: '%s *%s'",
                                          chainsi_types_spell(reader, written), use->what),
                             "a stream is no value");
        return NULL;
    }
    if (chainsi_types_chainlet(reader, type)) {
        chainsi_types_refuse(reader, use, written, "make it a dependency: a parameter of _new",
                             "a Chainlet is not data");
        return NULL;
    }
    if (is_incomplete(type)) {
        chainsi_types_refuse(reader, use, written, "declare its fields in a header of the chain",
                             "its contents aren't declared, so it can't travel");
        return NULL;
    }
    return chainsi_types_struct(reader, type, use, depth);
}

const chainsi_model_type *chainsi_types_read(chainsi_reader *reader, CXType type,
                                             const chainsi_type_use *use, int depth)
{
    CXType canonical = clang_getCanonicalType(type);
    if (depth > MAX_TYPE_DEPTH) {
        chainsi_types_refuse(reader, use, type, NULL, "types are nested too deeply");
        return NULL;
    }
    switch ((int)canonical.kind) {
    case CXType_Bool:
        return chainsi_types_plain(reader, CHAINSI_BOOL, "bool");
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
        return chainsi_types_plain(reader, CHAINSI_FLOAT, "float");
    case CXType_Double:
        return chainsi_types_plain(reader, CHAINSI_DOUBLE, "double");
    case CXType_Enum:
        return chainsi_types_enum(reader, canonical, use);
    case CXType_Record:
        return get_record(reader, type, use, depth);
    case CXType_Pointer:
        return get_pointer(reader, type, use, depth);
    case CXType_Char_S:
    case CXType_Char_U:
        chainsi_types_refuse(reader, use, type,
                             "write 'int8_t' or 'uint8_t' for a number, 'const char *' for text",
                             "whether a plain char has a sign depends on the machine");
        return NULL;
    case CXType_LongDouble:
    case CXType_Float128:
    case CXType_Float16:
    case CXType_Half:
    case CXType_Complex:
        chainsi_types_refuse(reader, use, type, "write 'double'",
                             "it differs from machine to machine");
        return NULL;
    case CXType_Int128:
    case CXType_UInt128:
        chainsi_types_refuse(reader, use, type, "write 'int64_t' or 'uint64_t', or pass it as text",
                             "no format carries 128 bits");
        return NULL;
    case CXType_ConstantArray:
    case CXType_IncompleteArray:
    case CXType_VariableArray: {
        CXType item = clang_getCanonicalType(clang_getArrayElementType(canonical));
        bool text = item.kind == CXType_Char_S || item.kind == CXType_Char_U;
        chainsi_types_refuse(
            reader, use, type,
            text ? "write 'const char *', with CHAINS_LENGTH for a limit"
                 : CHAINSI_TEXT(reader, "use a list of '%s', such as CHAINS_LIST makes",
                                chainsi_types_spell(reader, clang_getArrayElementType(canonical))),
            "arrays in C lose their length when they are passed");
        return NULL;
    }
    case CXType_FunctionProto:
    case CXType_FunctionNoProto:
        chainsi_types_refuse(reader, use, type, "to hand out items as they come use CHAINS_STREAM",
                             "a function can't travel to another process");
        return NULL;
    default:
        chainsi_types_refuse(
            reader, use, type,
            "use bool, numbers, 'const char *', chains_bytes, enums, structs, lists or maps",
            "this type can't travel");
        return NULL;
    }
}

const chainsi_model_type *chainsi_types_get(chainsi_reader *reader, CXType type,
                                            const chainsi_type_use *use)
{
    return chainsi_types_read(reader, type, use, 0);
}
