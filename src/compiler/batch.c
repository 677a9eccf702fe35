/* name_run_batch: run_remote's parameters, each as an array. */
#include "compiler/entry.h"

#include <string.h>

/* How run_batch declares parameter i of run_remote: "const T input[]", "U output[]". */
static const char *spell_batched(chainsi_reader *reader, CXCursor cursor)
{
    CXType type = clang_getCursorType(cursor);
    const char *name = chainsi_parse_take(reader, clang_getCursorSpelling(cursor));
    if (chainsi_entry_is_output(type)) {
        const char *target = chainsi_types_spell(reader, clang_getPointeeType(type));
        return CHAINSI_TEXT(reader, "%s%s%s[]", target,
                            target[strlen(target) - 1] == '*' ? "" : " ", name);
    }
    const char *spelled = chainsi_types_spell(reader, type);
    if (clang_getCanonicalType(type).kind == CXType_Pointer)
        return CHAINSI_TEXT(reader, "%sconst %s[]", spelled, name);
    return CHAINSI_TEXT(reader, "const %s %s[]", spelled, name);
}

/* The items of an array or pointer. An array's canonical type has lost the const of its items. */
static CXType item_of(CXType type)
{
    if (type.kind == CXType_IncompleteArray || type.kind == CXType_ConstantArray)
        return clang_getArrayElementType(type);
    CXType canonical = clang_getCanonicalType(type);
    return canonical.kind == CXType_Pointer ? clang_getPointeeType(canonical)
                                            : (CXType){ .kind = CXType_Invalid };
}

/* Is a batch parameter an array (or pointer) of what run_remote's parameter is? */
static bool is_batched(CXType batch, CXCursor single)
{
    CXType type = clang_getCanonicalType(clang_getCursorType(single));
    CXType item = clang_getCanonicalType(item_of(batch));
    if (item.kind == CXType_Invalid)
        return false;
    bool output = chainsi_entry_is_output(type);
    CXType wanted = output ? clang_getCanonicalType(clang_getPointeeType(type)) : type;
    if (output == (clang_isConstQualifiedType(item) != 0))
        return false;
    CXString a = clang_getTypeSpelling(item), b = clang_getTypeSpelling(wanted);
    const char *item_text = clang_getCString(a), *wanted_text = clang_getCString(b);
    bool same;
    if (output) {
        same = !strcmp(item_text, wanted_text);
    } else if (wanted.kind == CXType_Pointer) { /* "const char *const" against "const char *" */
        size_t size = strlen(wanted_text);
        same = !strncmp(item_text, wanted_text, size) && !strcmp(item_text + size, "const");
    } else {
        same = !strncmp(item_text, "const ", 6) && !strcmp(item_text + 6, wanted_text);
    }
    clang_disposeString(a);
    clang_disposeString(b);
    return same;
}

static bool is_contexts(CXType type)
{
    CXType item = item_of(type);
    return item.kind != CXType_Invalid && chainsi_entry_points_to(item, "chains_ctx") &&
           clang_isConstQualifiedType(clang_getCanonicalType(item));
}

void chainsi_entry_batch(chainsi_reader *reader, const chainsi_reading *reading,
                         const chainsi_entry *run)
{
    chainsi_model_chainlet *chainlet = reading->chainlet;
    const char *name = chainlet->c_name;
    chainsi_entry batch;
    if (!chainsi_entry_open(reader, reading, "_run_batch", NULL, &chainlet->batch, &batch) ||
        batch.broken)
        return;
    if (chainlet->stream) {
        CHAINSI_ERROR(reader, batch.position, "leave out one of them",
                      "'%s' has a stream, so it can't run in batches", run->name);
        return;
    }
    chainsi_entry_check_result(reader, &batch,
                               chainsi_entry_is_status(clang_getCursorResultType(batch.cursor)),
                               "chains_status");
    chainsi_buffer text = { 0 };
    chainsi_buffer_printf(&text,
                          "chains_status %s_run_batch(%s *self, chains_ctx *const calls[], size_t "
                          "count",
                          name, name);
    for (size_t i = 2; i < run->parameter_count; i++)
        chainsi_buffer_printf(&text, ", %s",
                              spell_batched(reader, chainsi_entry_parameter(run, i)));
    chainsi_buffer_add(&text, ");", 3);
    const char *declared = CHAINSI_TEXT(reader, "write '%s'", (const char *)text.data);
    chainsi_buffer_done(&text);
    CXCursor wrong = clang_getNullCursor();
    for (size_t i = 0; i < batch.parameter_count && clang_Cursor_isNull(wrong); i++) {
        CXCursor cursor = chainsi_entry_parameter(&batch, i);
        CXType type = clang_getCursorType(cursor);
        bool right = i == 0   ? chainsi_entry_points_to(type, name)
                     : i == 1 ? is_contexts(type)
                     : i == 2 ? clang_getCanonicalType(type).kind == CXType_ULong
                              : i - 1 < run->parameter_count &&
                                    is_batched(type, chainsi_entry_parameter(run, i - 1));
        if (!right)
            wrong = cursor;
    }
    if (!clang_Cursor_isNull(wrong))
        CHAINSI_ERROR(reader, chainsi_parse_position(reader, wrong), declared,
                      "this parameter of '%s' doesn't match '%s'", batch.name, run->name);
    else if (batch.parameter_count != run->parameter_count + 1)
        CHAINSI_ERROR(reader, batch.position, declared,
                      "'%s' has %zu parameters; with those of '%s' it would have %zu", batch.name,
                      batch.parameter_count, run->name, run->parameter_count + 1);
}
