/* name_run_batch: run_remote's parameters, each as an array. */
#include "compiler/entry.h"

#include <string.h>

/* A type's text without the const of the value itself. */
static const char *strip_const(chainsi_reader *reader, const char *spelled)
{
    size_t size = strlen(spelled);
    if (!strchr(spelled, '*'))
        return strncmp(spelled, "const ", 6) ? spelled : spelled + 6;
    return size > 6 && !strcmp(spelled + size - 6, "*const")
               ? CHAINSI_TEXT(reader, "%.*s", (int)size - 5, spelled)
               : spelled;
}

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
    const char *spelled = strip_const(reader, chainsi_types_spell(reader, type));
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
static bool is_batched(chainsi_reader *reader, CXType batch, CXCursor single)
{
    CXType type = clang_getCanonicalType(clang_getCursorType(single));
    CXType item = clang_getCanonicalType(item_of(batch));
    if (item.kind == CXType_Invalid)
        return false;
    bool output = chainsi_entry_is_output(type);
    CXType wanted = output ? clang_getCanonicalType(clang_getPointeeType(type)) : type;
    if (output == (clang_isConstQualifiedType(item) != 0))
        return false;
    const char *item_text = chainsi_parse_take(reader, clang_getTypeSpelling(item));
    const char *wanted_text = chainsi_parse_take(reader, clang_getTypeSpelling(wanted));
    return !strcmp(strip_const(reader, item_text), strip_const(reader, wanted_text));
}

static bool is_contexts(CXType type)
{
    CXType item = item_of(type);
    return item.kind != CXType_Invalid && chainsi_entry_points_to(item, "chains_ctx") &&
           clang_isConstQualifiedType(clang_getCanonicalType(item));
}

/* How a prototype of name_run_batch is written for this run_remote. */
static const char *spell_prototype(chainsi_reader *reader, const char *name,
                                   const chainsi_entry *run)
{
    chainsi_buffer text = { 0 };
    chainsi_buffer_printf(&text,
                          "chains_status %s_run_batch(%s *self, chains_ctx *const calls[], size_t "
                          "count",
                          name, name);
    for (size_t i = 2; i < run->parameter_count; i++)
        chainsi_buffer_printf(&text, ", %s",
                              spell_batched(reader, chainsi_entry_parameter(run, i)));
    chainsi_buffer_add(&text, ");", 3);
    const char *spelled = CHAINSI_TEXT(reader, "%s", (const char *)text.data);
    chainsi_buffer_done(&text);
    return spelled;
}

static bool is_right(chainsi_reader *reader, const chainsi_entry *batch, const chainsi_entry *run,
                     const char *name, size_t i)
{
    CXType type = clang_getCursorType(chainsi_entry_parameter(batch, i));
    switch (i) {
    case 0:
        return chainsi_entry_points_to(type, name);
    case 1:
        return is_contexts(type);
    case 2: /* size_t */
        return clang_getCanonicalType(type).kind == CXType_ULong;
    default:
        return i - 1 < run->parameter_count &&
               is_batched(reader, type, chainsi_entry_parameter(run, i - 1));
    }
}

/* Reports parameter i, which is not what it has to be. */
static void report_parameter(chainsi_reader *reader, const chainsi_entry *batch,
                             const chainsi_entry *run, const char *name, size_t i, const char *hint)
{
    CXCursor cursor = chainsi_entry_parameter(batch, i);
    chainsi_position position = chainsi_parse_position(reader, cursor);
    const char *spelled = chainsi_types_spell(reader, clang_getCursorType(cursor));
    if (i < 3) {
        static const char *const ordinals[] = { "first", "second", "third" };
        const char *wanted = i == 0   ? CHAINSI_TEXT(reader, "%s *", name)
                             : i == 1 ? "chains_ctx *const[]"
                                      : "size_t";
        CHAINSI_ERROR(reader, position, hint, "the %s parameter of '%s' is '%s' instead of '%s'",
                      ordinals[i], batch->name, spelled, wanted);
        return;
    }
    if (i - 1 >= run->parameter_count) {
        CHAINSI_ERROR(reader, position, hint, "'%s' has a parameter that '%s' doesn't have",
                      batch->name, run->name);
        return;
    }
    const char *single =
        chainsi_parse_take(reader, clang_getCursorSpelling(chainsi_entry_parameter(run, i - 1)));
    const char *own = chainsi_parse_take(reader, clang_getCursorSpelling(cursor));
    CHAINSI_ERROR(reader, position, hint,
                  "'%s' of '%s' is '%s': here stands '%s' of '%s', as an array",
                  *own ? own : single, batch->name, spelled, single, run->name);
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
    if (run->broken)
        return; /* what it has to be like isn't known */
    const char *hint = CHAINSI_TEXT(reader, "write '%s'", spell_prototype(reader, name, run));
    for (size_t i = 0; i < batch.parameter_count; i++) {
        if (!is_right(reader, &batch, run, name, i)) {
            report_parameter(reader, &batch, run, name, i, hint);
            return;
        }
    }
    if (batch.parameter_count != run->parameter_count + 1)
        CHAINSI_ERROR(reader, batch.position, hint,
                      "'%s' has %zu parameters; with those of '%s' it would have %zu", batch.name,
                      batch.parameter_count, run->name, run->parameter_count + 1);
}
