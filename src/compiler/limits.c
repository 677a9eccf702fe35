/* Defaults and limits. Each text becomes a constant of the declared type in a translation unit of
 * its own, behind the chain's headers: what clang says of that line is said of the annotation, and
 * the values are evaluated there. Limits must be such that some value meets them, and a default
 * must. */
#include "compiler/reader.h"

#include <stdlib.h>
#include <string.h>

#define CONSTANT "chainsi_text_"

typedef struct evaluated_texts {
    CXCursor *initializers; /* by pending; null cursors where there is none */
    size_t count;
} evaluated_texts;

static const chainsi_model_type *limited_type(const chainsi_model_field *field)
{
    return field->type->kind == CHAINSI_POINTER ? field->type->item : field->type;
}

static const chainsi_model_text *pending_text(const chainsi_pending *pending)
{
    switch (pending->kind) {
    case CHAINSI_TEXT_DEFAULT:
        return &pending->field->default_text;
    case CHAINSI_TEXT_RANGE:
        return &pending->field->range_text;
    case CHAINSI_TEXT_LENGTH:
        return &pending->field->length_text;
    case CHAINSI_TEXT_ONE_OF:
        break;
    }
    return &pending->field->one_of_text;
}

static const char *macro_name(chainsi_text_kind kind)
{
    static const char *const names[] = { "CHAINS_DEFAULT", "CHAINS_RANGE", "CHAINS_LENGTH",
                                         "CHAINS_ONE_OF" };
    return names[kind];
}

/* A constant type: "const float", "const char *const". */
static const char *make_constant(chainsi_reader *reader, const char *c_name)
{
    return c_name[strlen(c_name) - 1] == '*' ? CHAINSI_TEXT(reader, "%sconst", c_name)
                                             : CHAINSI_TEXT(reader, "const %s", c_name);
}

static void write_constant(chainsi_reader *reader, chainsi_buffer *out,
                           const chainsi_pending *pending, size_t i)
{
    const char *text = pending_text(pending)->text;
    const chainsi_model_type *type = limited_type(pending->field);
    if (pending->kind == CHAINSI_TEXT_DEFAULT)
        chainsi_buffer_printf(out, "static %s " CONSTANT "%zu = %s;\n",
                              make_constant(reader, pending->field->type->c_name), i, text);
    else if (pending->kind == CHAINSI_TEXT_LENGTH)
        chainsi_buffer_printf(out, "static const unsigned long long " CONSTANT "%zu[] = { %s };\n",
                              i, text);
    else
        chainsi_buffer_printf(out, "static %s " CONSTANT "%zu[] = { %s };\n",
                              make_constant(reader, type->c_name), i, text);
}

/* --- what clang says */

static void report_misfit(chainsi_reader *reader, chainsi_pending *pending, const char *words)
{
    const chainsi_model_text *text = pending_text(pending);
    if (pending->failed)
        return;
    pending->failed = true;
    const char *hint =
        pending->kind == CHAINSI_TEXT_LENGTH
            ? "write two whole numbers, the least and the greatest length"
        : pending->kind == CHAINSI_TEXT_DEFAULT
            ? CHAINSI_TEXT(reader, "write a constant that '%s%s%s = ...;' would take",
                           pending->spelled,
                           pending->spelled[strlen(pending->spelled) - 1] == '*' ? "" : " ",
                           pending->field->c_name)
            : CHAINSI_TEXT(reader, "write constants of type '%s'", pending->spelled);
    CHAINSI_ERROR(reader, text->position, hint, "%s(%s) doesn't fit '%s': %s",
                  macro_name(pending->kind), text->text, pending->spelled, words);
}

static void report_words(chainsi_reader *reader, CXTranslationUnit unit, const char *main_file,
                         unsigned first_line)
{
    for (unsigned i = 0; i < clang_getNumDiagnostics(unit); i++) {
        CXDiagnostic diagnostic = clang_getDiagnostic(unit, i);
        CXFile file;
        unsigned line;
        clang_getFileLocation(clang_getDiagnosticLocation(diagnostic), &file, &line, NULL, NULL);
        bool concerns = file && clang_getDiagnosticSeverity(diagnostic) >= CXDiagnostic_Warning;
        if (concerns) {
            const char *name = chainsi_parse_take(reader, clang_getFileName(file));
            concerns = !strcmp(name, main_file) && line >= first_line &&
                       line - first_line < reader->pending_count;
        }
        if (concerns) {
            const char *words = chainsi_parse_take(reader, clang_getDiagnosticSpelling(diagnostic));
            report_misfit(reader, &reader->pending[line - first_line], words);
        }
        clang_disposeDiagnostic(diagnostic);
    }
}

static enum CXChildVisitResult find_constants(CXCursor cursor, CXCursor parent, CXClientData data)
{
    (void)parent;
    evaluated_texts *evaluated = data;
    if (clang_getCursorKind(cursor) != CXCursor_VarDecl)
        return CXChildVisit_Continue;
    CXString spelling = clang_getCursorSpelling(cursor);
    const char *name = clang_getCString(spelling);
    if (!strncmp(name, CONSTANT, sizeof CONSTANT - 1)) {
        size_t i = strtoul(name + sizeof CONSTANT - 1, NULL, 10);
        if (i < evaluated->count)
            evaluated->initializers[i] = clang_Cursor_getVarDeclInitializer(cursor);
    }
    clang_disposeString(spelling);
    return CXChildVisit_Continue;
}

/* --- values */

/* A constant: a number in the representation of its kind, or a text. */
typedef struct constant {
    bool known;
    chainsi_number number;
    const char *text;
} constant;

static bool is_float(chainsi_kind kind)
{
    return kind == CHAINSI_FLOAT || kind == CHAINSI_DOUBLE;
}

static bool is_unsigned(chainsi_kind kind)
{
    return kind >= CHAINSI_UINT8 && kind <= CHAINSI_UINT64;
}

static bool is_number(chainsi_kind kind)
{
    return kind >= CHAINSI_INT8 && kind <= CHAINSI_DOUBLE;
}

static constant evaluate(chainsi_reader *reader, CXCursor cursor, chainsi_kind kind)
{
    constant value = { 0 };
    CXEvalResult result = clang_Cursor_Evaluate(cursor);
    if (!result)
        return value;
    CXEvalResultKind what = clang_EvalResult_getKind(result);
    if (kind == CHAINSI_STRING) {
        value.known = what == CXEval_StrLiteral;
        if (value.known)
            value.text = chainsi_arena_strdup(reader->arena, clang_EvalResult_getAsStr(result));
    } else if (is_float(kind)) {
        value.known = what == CXEval_Float || what == CXEval_Int;
        value.number.f = what == CXEval_Float ? clang_EvalResult_getAsDouble(result)
                                              : (double)clang_EvalResult_getAsLongLong(result);
    } else {
        value.known = what == CXEval_Int;
        if (clang_EvalResult_isUnsignedInt(result))
            value.number.u = clang_EvalResult_getAsUnsigned(result);
        else
            value.number.i = clang_EvalResult_getAsLongLong(result);
    }
    clang_EvalResult_dispose(result);
    return value;
}

/* a < b, a == b, a > b: -1, 0, 1. NaN compares as larger than all. */
static int compare(chainsi_kind kind, chainsi_number a, chainsi_number b)
{
    if (is_float(kind))
        return a.f < b.f ? -1 : a.f == b.f ? 0 : 1;
    if (is_unsigned(kind))
        return a.u < b.u ? -1 : a.u > b.u;
    return a.i < b.i ? -1 : a.i > b.i;
}

static uint64_t count_code_points(const char *text)
{
    uint64_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

typedef struct value_walk {
    chainsi_reader *reader;
    chainsi_kind kind;
    constant *values;
    size_t count, capacity;
} value_walk;

static enum CXChildVisitResult visit_value(CXCursor cursor, CXCursor parent, CXClientData data)
{
    (void)parent;
    value_walk *walk = data;
    CHAINSI_MAKE_ROOM(walk->reader, walk->values, walk->count, walk->capacity);
    walk->values[walk->count++] = evaluate(walk->reader, cursor, walk->kind);
    return CXChildVisit_Continue;
}

/* All values of `{ a, b }`; false, with a diagnostic, if one can't be told. */
static bool read_values(chainsi_reader *reader, chainsi_pending *pending, CXCursor list,
                        value_walk *walk)
{
    clang_visitChildren(list, visit_value, walk);
    for (size_t i = 0; i < walk->count; i++)
        if (!walk->values[i].known) {
            report_misfit(reader, pending, "write the values themselves");
            return false;
        }
    return true;
}

static void report_limits(chainsi_reader *reader, chainsi_pending *pending, const char *hint,
                          const char *why)
{
    const chainsi_model_text *text = pending_text(pending);
    pending->failed = true;
    CHAINSI_ERROR(reader, text->position, hint, "%s(%s): %s", macro_name(pending->kind), text->text,
                  why);
}

static void read_range(chainsi_reader *reader, chainsi_pending *pending, CXCursor list)
{
    value_walk walk = { .reader = reader, .kind = limited_type(pending->field)->kind };
    chainsi_limits *limits = &pending->field->limits;
    if (!read_values(reader, pending, list, &walk))
        return;
    if (walk.count != 2) {
        report_limits(reader, pending, "write CHAINS_RANGE(least, greatest)",
                      "a range has a least and a greatest value");
        return;
    }
    if (compare(walk.kind, walk.values[0].number, walk.values[1].number) > 0) {
        report_limits(reader, pending, "write the least value first", "no number is in this range");
        return;
    }
    limits->has_range = true;
    limits->min = walk.values[0].number;
    limits->max = walk.values[1].number;
}

static void read_length(chainsi_reader *reader, chainsi_pending *pending, CXCursor list)
{
    value_walk walk = { .reader = reader, .kind = CHAINSI_UINT64 };
    chainsi_limits *limits = &pending->field->limits;
    if (!read_values(reader, pending, list, &walk))
        return;
    if (walk.count != 2) {
        report_limits(reader, pending, "write CHAINS_LENGTH(least, greatest)",
                      "lengths have a least and a greatest value");
        return;
    }
    if (walk.values[0].number.u > walk.values[1].number.u) {
        report_limits(reader, pending, "write the least length first", "nothing has such a length");
        return;
    }
    limits->has_length = true;
    limits->min_length = walk.values[0].number.u;
    limits->max_length = walk.values[1].number.u;
}

static const char *write_value(chainsi_reader *reader, chainsi_kind kind, const constant *value)
{
    if (kind == CHAINSI_STRING)
        return CHAINSI_TEXT(reader, "\"%s\"", value->text);
    if (is_float(kind))
        return CHAINSI_TEXT(reader, "%g", value->number.f);
    return is_unsigned(kind) ? CHAINSI_TEXT(reader, "%llu", (unsigned long long)value->number.u)
                             : CHAINSI_TEXT(reader, "%lld", (long long)value->number.i);
}

static bool are_equal(chainsi_kind kind, const constant *a, const constant *b)
{
    return kind == CHAINSI_STRING ? !strcmp(a->text, b->text)
                                  : compare(kind, a->number, b->number) == 0;
}

static void read_one_of(chainsi_reader *reader, chainsi_pending *pending, CXCursor list)
{
    value_walk walk = { .reader = reader, .kind = limited_type(pending->field)->kind };
    chainsi_limits *limits = &pending->field->limits;
    if (!read_values(reader, pending, list, &walk))
        return;
    if (!walk.count) {
        report_limits(reader, pending, "write the values that are allowed", "no value is allowed");
        return;
    }
    for (size_t i = 0; i < walk.count; i++)
        for (size_t k = 0; k < i; k++)
            if (are_equal(walk.kind, &walk.values[i], &walk.values[k])) {
                report_limits(reader, pending, "leave one out",
                              CHAINSI_TEXT(reader, "%s stands in it twice",
                                           write_value(reader, walk.kind, &walk.values[i])));
                return;
            }
    const char **texts = chainsi_arena_array(reader->arena, walk.count, sizeof *texts);
    chainsi_number *numbers = chainsi_arena_array(reader->arena, walk.count, sizeof *numbers);
    for (size_t i = 0; i < walk.count; i++) {
        texts[i] = walk.values[i].text;
        numbers[i] = walk.values[i].number;
    }
    limits->one_of_count = walk.count;
    if (walk.kind == CHAINSI_STRING)
        limits->one_of_text = texts;
    else
        limits->one_of_number = numbers;
}

/* Why a value of the field isn't allowed; NULL if it is. one_of: whether to look at that. */
static const char *find_breach(chainsi_reader *reader, const chainsi_model_field *field,
                               const constant *given, bool one_of)
{
    const chainsi_limits *limits = &field->limits;
    chainsi_kind kind = limited_type(field)->kind;
    if (limits->has_range && (compare(kind, given->number, limits->min) < 0 ||
                              compare(kind, given->number, limits->max) > 0))
        return CHAINSI_TEXT(reader, "CHAINS_RANGE(%s)", field->range_text.text);
    if (limits->has_length && kind == CHAINSI_STRING) {
        uint64_t length = count_code_points(given->text);
        if (length < limits->min_length || length > limits->max_length)
            return CHAINSI_TEXT(reader, "CHAINS_LENGTH(%s)", field->length_text.text);
    }
    bool found = !one_of || !limits->one_of_count;
    for (size_t i = 0; i < limits->one_of_count && !found; i++) {
        constant allowed = { .known = true };
        if (kind == CHAINSI_STRING)
            allowed.text = limits->one_of_text[i];
        else
            allowed.number = limits->one_of_number[i];
        found = are_equal(kind, &allowed, given);
    }
    return found ? NULL : CHAINSI_TEXT(reader, "CHAINS_ONE_OF(%s)", field->one_of_text.text);
}

/* One of the allowed values must meet the other limits. */
static void check_one_of(chainsi_reader *reader, chainsi_pending *pending)
{
    const chainsi_model_field *field = pending->field;
    chainsi_kind kind = limited_type(field)->kind;
    for (size_t i = 0; i < field->limits.one_of_count; i++) {
        constant allowed = { .known = true };
        if (kind == CHAINSI_STRING)
            allowed.text = field->limits.one_of_text[i];
        else
            allowed.number = field->limits.one_of_number[i];
        const char *breach = find_breach(reader, field, &allowed, false);
        if (breach) {
            report_limits(reader, pending, "leave the value out, or widen the other limit",
                          CHAINSI_TEXT(reader, "%s does not meet %s",
                                       write_value(reader, kind, &allowed), breach));
            return;
        }
    }
}

static void check_default(chainsi_reader *reader, chainsi_pending *pending, CXCursor initializer)
{
    const chainsi_model_field *field = pending->field;
    chainsi_kind kind = field->type->kind;
    if (!is_number(kind) && kind != CHAINSI_STRING && kind != CHAINSI_ENUM)
        return;
    constant given = evaluate(reader, initializer, kind);
    if (!given.known) {
        if (kind == CHAINSI_STRING) {
            pending->failed = true;
            CHAINSI_ERROR(reader, field->default_text.position,
                          "write a text in quotes, or CHAINS_OPTIONAL for one that may be absent",
                          "CHAINS_DEFAULT(%s) of '%s' is no text", field->default_text.text,
                          field->c_name);
        }
        return;
    }
    if (kind == CHAINSI_ENUM) {
        for (size_t i = 0; i < field->type->value_count; i++)
            if (field->type->values[i].value == given.number.i)
                return;
        report_misfit(reader, pending, "none of its enumerators has this value");
        return;
    }
    const char *breach = find_breach(reader, field, &given, true);
    if (!breach)
        return;
    pending->failed = true;
    CHAINSI_ERROR(reader, field->default_text.position, "change the default, or the limit",
                  "CHAINS_DEFAULT(%s) does not meet %s", field->default_text.text, breach);
}

static bool pending_field_failed(const chainsi_reader *reader, const chainsi_model_field *field)
{
    for (size_t i = 0; i < reader->pending_count; i++)
        if (reader->pending[i].field == field && reader->pending[i].failed)
            return true;
    return false;
}

void chainsi_limits_evaluate(chainsi_reader *reader)
{
    if (!reader->pending_count)
        return;
    chainsi_buffer text = { 0 };
    for (size_t i = 0; i < reader->pending_count; i++)
        write_constant(reader, &text, &reader->pending[i], i);
    chainsi_buffer_add_byte(&text, '\0');
    unsigned first_line;
    CXTranslationUnit unit = chainsi_parse_with(reader, (const char *)text.data, &first_line);
    chainsi_buffer_done(&text);
    if (!unit) {
        CHAINSI_ERROR(reader, (chainsi_position){ 0 }, NULL,
                      "libclang can't evaluate the defaults and limits");
        return;
    }
    const char *main_file = chainsi_parse_take(reader, clang_getTranslationUnitSpelling(unit));
    report_words(reader, unit, main_file, first_line);
    evaluated_texts found = { chainsi_arena_array(reader->arena, reader->pending_count,
                                                  sizeof *found.initializers),
                              reader->pending_count };
    for (size_t i = 0; i < found.count; i++)
        found.initializers[i] = clang_getNullCursor();
    clang_visitChildren(clang_getTranslationUnitCursor(unit), find_constants, &found);
    for (int pass = 0; pass < 2; pass++) /* a default is measured by limits, so they come first */
        for (size_t i = 0; i < found.count; i++) {
            chainsi_pending *pending = &reader->pending[i];
            CXCursor initializer = found.initializers[i];
            if (pending->failed)
                continue;
            if (clang_Cursor_isNull(initializer))
                report_misfit(reader, pending, "it is no constant");
            else if (pass == 0 && pending->kind == CHAINSI_TEXT_RANGE)
                read_range(reader, pending, initializer);
            else if (pass == 0 && pending->kind == CHAINSI_TEXT_LENGTH)
                read_length(reader, pending, initializer);
            else if (pass == 0 && pending->kind == CHAINSI_TEXT_ONE_OF)
                read_one_of(reader, pending, initializer);
            else if (pass == 1 && pending->kind == CHAINSI_TEXT_ONE_OF)
                check_one_of(reader, pending);
        }
    for (size_t i = 0; i < found.count; i++) {
        chainsi_pending *pending = &reader->pending[i];
        if (pending->kind == CHAINSI_TEXT_DEFAULT && !pending->failed &&
            !pending_field_failed(reader, pending->field))
            check_default(reader, pending, found.initializers[i]);
    }
    clang_disposeTranslationUnit(unit);
    reader->file_count = 0;
}
