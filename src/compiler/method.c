/* A Chainlet's method, name_run_remote: what it takes and gives. */
#include "compiler/entry.h"

#include <string.h>

static void read_names(chainsi_reader *reader, const chainsi_entry *run, CXCursor cursor,
                       chainsi_model_field *field)
{
    field->c_name = field->wire_name = chainsi_parse_take(reader, clang_getCursorSpelling(cursor));
    field->position = chainsi_parse_position(reader, cursor);
    chainsi_region region = chainsi_parse_region(reader, cursor);
    field->doc =
        run->comment ? chainsi_comment_parameter(reader, run->comment, field->c_name) : NULL;
    if (!field->doc && region.header != CHAINSI_NO_HEADER)
        field->doc = chainsi_comment_summary(
            reader, chainsi_comment_after(reader, region.header, region.end));
    chainsi_annotation_read(reader, cursor, field);
}

static bool check_name(chainsi_reader *reader, const chainsi_entry *run,
                       const chainsi_model_field *field)
{
    if (*field->c_name)
        return true;
    CHAINSI_ERROR(reader, field->position, "name it: the name is the key of the argument in JSON",
                  "a parameter of '%s' has no name", run->name);
    return false;
}

static void check_own_type(chainsi_reader *reader, const chainsi_model_field *field,
                           const chainsi_model_type *type)
{
    const chainsi_model_type *named = type->kind == CHAINSI_POINTER ? type->item : type;
    if (!named->name || strcmp(named->name, field->c_name) != 0)
        return;
    CHAINSI_ERROR(reader, field->position,
                  CHAINSI_TEXT(reader,
                               "call it '%s_', or something that says what it is for, and "
                               "keep its name on the wire with CHAINS_NAME(\"%s\")",
                               field->c_name, field->c_name),
                  "'%s' has the name of its own type, which hides that", field->c_name);
}

typedef struct method_parts {
    chainsi_model_field *inputs, *outputs;
    size_t input_count, output_count;
    const chainsi_model_field *last_output; /* or stream; NULL: none yet */
} method_parts;

static void check_repeated(chainsi_reader *reader, const chainsi_model_field *fields, size_t count,
                           const chainsi_model_field *field)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(fields[i].wire_name, field->wire_name))
            CHAINSI_ERROR(reader, field->position, "give one of them another CHAINS_NAME",
                          "'%s' and '%s' have the same name on the wire: \"%s\"", fields[i].c_name,
                          field->c_name, field->wire_name);
}

static void read_input(chainsi_reader *reader, const chainsi_entry *run, CXCursor cursor,
                       method_parts *method)
{
    chainsi_model_field *field = &method->inputs[method->input_count];
    read_names(reader, run, cursor, field);
    if (!check_name(reader, run, field))
        return;
    CXType type = clang_getCursorType(cursor);
    chainsi_type_use use = { .what = field->c_name,
                             .position = field->position,
                             .optional = field->optional,
                             .parameter = true };
    if (chainsi_entry_has_error(reader, cursor))
        return; /* clang says it */
    if (chainsi_types_is(reader, type, "stream")) {
        CHAINSI_ERROR(reader, field->position,
                      CHAINSI_TEXT(reader, "write '%s *%s'", chainsi_types_spell(reader, type),
                                   field->c_name),
                      "the stream '%s' is passed by value", field->c_name);
        return;
    }
    if (method->last_output)
        CHAINSI_ERROR(reader, field->position, "place all inputs before the first output",
                      "the input '%s' stands behind the output '%s'", field->c_name,
                      method->last_output->c_name);
    field->type = chainsi_types_get(reader, type, &use);
    if (!field->type)
        return;
    check_own_type(reader, field, field->type);
    check_repeated(reader, method->inputs, method->input_count, field);
    chainsi_annotation_check(reader, field, type, CHAINSI_IN_INPUT);
    method->input_count++;
}

static void read_stream(chainsi_reader *reader, chainsi_model_chainlet *chainlet,
                        chainsi_model_field *field, CXType target)
{
    chainsi_type_use use = { .what = field->c_name, .position = field->position };
    if (chainlet->stream) {
        CHAINSI_ERROR(reader, field->position,
                      "a method has one stream; its items may be a struct with an enum that says "
                      "what they are",
                      "'%s' is a second stream, behind '%s'", field->c_name,
                      chainlet->stream->c_name);
        return;
    }
    field->type = chainsi_types_stream_item(reader, target, &use);
    if (!field->type)
        return;
    static const char *const macros[] = { "CHAINS_DEFAULT", "CHAINS_RANGE", "CHAINS_LENGTH",
                                          "CHAINS_ONE_OF" };
    const chainsi_model_text *texts[] = { &field->default_text, &field->range_text,
                                          &field->length_text, &field->one_of_text };
    for (size_t i = 0; i < 4; i++)
        if (texts[i]->text)
            CHAINSI_ERROR(reader, texts[i]->position,
                          "leave it out; limits of items stand on the fields of their struct",
                          "%s doesn't apply to the stream '%s'", macros[i], field->c_name);
    field->default_text = field->range_text = field->length_text = field->one_of_text =
        (chainsi_model_text){ 0 };
    if (field->optional)
        CHAINSI_ERROR(reader, field->position, "leave it out: a caller may always pass NULL",
                      "CHAINS_OPTIONAL doesn't apply to the stream '%s'", field->c_name);
    chainlet->stream = field;
    chainlet->stream_c_name = chainsi_types_spell(reader, target);
}

/* A pointer to a number or enum in the midst of inputs: an array without its length. */
static bool looks_like_array(CXType target)
{
    CXType canonical = clang_getCanonicalType(target);
    return canonical.kind == CXType_Enum ||
           (canonical.kind >= CXType_Bool && canonical.kind <= CXType_LongDouble &&
            canonical.kind != CXType_Char_S && canonical.kind != CXType_Char_U);
}

static bool only_outputs_follow(const chainsi_entry *run, size_t from)
{
    for (size_t i = from; i < run->parameter_count; i++)
        if (!chainsi_entry_is_output(clang_getCursorType(chainsi_entry_parameter(run, i))))
            return false;
    return true;
}

static void read_output(chainsi_reader *reader, chainsi_model_chainlet *chainlet,
                        const chainsi_entry *run, size_t i, method_parts *method)
{
    CXCursor cursor = chainsi_entry_parameter(run, i);
    chainsi_model_field *field = &method->outputs[method->output_count];
    read_names(reader, run, cursor, field);
    if (!check_name(reader, run, field) || chainsi_entry_has_error(reader, cursor))
        return;
    CXType target = clang_getPointeeType(clang_getCanonicalType(clang_getCursorType(cursor)));
    CXType canonical = clang_getCanonicalType(target);
    if (chainsi_types_is(reader, target, "stream")) {
        method->last_output = field;
        read_stream(reader, chainlet, field, clang_getPointeeType(clang_getCursorType(cursor)));
        method->output_count++; /* its slot is taken; it is moved out at the end */
        return;
    }
    chainsi_type_use use = { .what = field->c_name,
                             .position = field->position,
                             .optional = field->optional,
                             .parameter = true };
    if (canonical.kind == CXType_Char_S || canonical.kind == CXType_Char_U) {
        CHAINSI_ERROR(reader, field->position,
                      "write 'const char *' for text that comes in, 'const char **' for text that "
                      "goes out",
                      "'%s' is 'char *': nothing tells how long the text may become",
                      field->c_name);
        return;
    }
    if (looks_like_array(target) && !only_outputs_follow(run, i + 1)) {
        use.optional = false;
        chainsi_types_get(reader, clang_getCursorType(cursor), &use); /* which says it */
        return;
    }
    if (clang_getCursorType(cursor).kind == CXType_Pointer) /* as it was written */
        target = clang_getPointeeType(clang_getCursorType(cursor));
    use.output = true;
    use.spelled = chainsi_types_spell(reader, clang_getCursorType(cursor));
    field->type = chainsi_types_get(reader, target, &use);
    if (!field->type)
        return;
    method->last_output = field;
    check_own_type(reader, field, field->type);
    chainsi_annotation_check(reader, field, target, CHAINSI_IN_OUTPUT);
    method->output_count++;
}

/* Takes the stream out of the outputs, and looks for names that occur twice. */
static void finish_outputs(chainsi_reader *reader, chainsi_model_chainlet *chainlet,
                           method_parts *method)
{
    chainsi_model_field *plain =
        chainsi_arena_array(reader->arena, method->output_count + 1, sizeof *plain);
    size_t count = 0;
    for (size_t i = 0; i < method->output_count; i++) {
        check_repeated(reader, method->outputs, i, &method->outputs[i]);
        if (&method->outputs[i] == chainlet->stream || !method->outputs[i].type)
            continue;
        plain[count++] = method->outputs[i];
        for (size_t k = 0; k < reader->pending_count; k++)
            if (reader->pending[k].field == &method->outputs[i])
                reader->pending[k].field = &plain[count - 1];
    }
    chainlet->outputs = plain;
    chainlet->output_count = count;
}

static void check_documented(chainsi_reader *reader, const chainsi_entry *run)
{
    for (size_t i = 0; run->comment && !run->broken; i++) {
        const char *name = chainsi_comment_parameter_name(reader, run->comment, i);
        if (!name)
            break;
        bool known = false;
        for (size_t k = 0; k < run->parameter_count && !known; k++) {
            CXString spelling = clang_getCursorSpelling(chainsi_entry_parameter(run, k));
            known = !strcmp(clang_getCString(spelling), name);
            clang_disposeString(spelling);
        }
        if (!known)
            CHAINSI_WARNING(reader, run->position, "correct the name, or leave the line out",
                            "the comment describes '%s', but '%s' has no such parameter", name,
                            run->name);
    }
}

static bool read_run(chainsi_reader *reader, const chainsi_reading *reading, chainsi_entry *run)
{
    chainsi_model_chainlet *chainlet = reading->chainlet;
    const char *name = chainlet->c_name;
    const char *declared = CHAINSI_TEXT(
        reader, "chains_status %s_run_remote(%s *self, chains_ctx *ctx, ...);", name, name);
    if (!chainsi_entry_open(reader, reading, "_run_remote", declared, &chainlet->run, run))
        return false;
    chainsi_entry_check_result(reader, run,
                               chainsi_entry_is_status(clang_getCursorResultType(run->cursor)),
                               "chains_status");
    chainsi_entry_check_parameter(reader, run, 0, name, CHAINSI_TEXT(reader, "%s *self", name));
    chainsi_entry_check_parameter(reader, run, 1, "chains_ctx", "chains_ctx *ctx");
    method_parts method = {
        .inputs =
            chainsi_arena_array(reader->arena, run->parameter_count + 1, sizeof *method.inputs),
        .outputs =
            chainsi_arena_array(reader->arena, run->parameter_count + 1, sizeof *method.outputs),
    };
    for (size_t i = 2; i < run->parameter_count; i++) {
        CXCursor cursor = chainsi_entry_parameter(run, i);
        if (chainsi_entry_is_output(clang_getCursorType(cursor)))
            read_output(reader, chainlet, run, i, &method);
        else
            read_input(reader, run, cursor, &method);
    }
    chainlet->inputs = method.inputs;
    chainlet->input_count = method.input_count;
    finish_outputs(reader, chainlet, &method);
    check_documented(reader, run);
    return true;
}

void chainsi_method_read(chainsi_reader *reader, chainsi_reading *reading)
{
    chainsi_entry run = { 0 };
    if (reading->chainlet->external) {
        read_run(reader, reading, &run);
        static const char *const others[] = { "_new", "_free", "_healthy", "_run_batch" };
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            chainsi_entry_refuse(reader, reading, others[i]);
        return;
    }
    chainsi_entry_create(reader, reading);
    bool has_run = read_run(reader, reading, &run);
    chainsi_entry_destroy(reader, reading);
    chainsi_entry_healthy(reader, reading);
    if (has_run)
        chainsi_entry_batch(reader, reading, &run);
}
