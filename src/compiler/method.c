/* A Chainlet's functions: name_new with its dependencies, name_run_remote with inputs and outputs,
 * name_free, name_healthy and name_run_batch. */
#include "compiler/reader.h"

#include <string.h>

static const chainsi_named_cursor *find_function(const chainsi_reader *reader, const char *name)
{
    for (size_t i = 0; i < reader->function_count; i++)
        if (!strcmp(reader->functions[i].name, name))
            return &reader->functions[i];
    return NULL;
}

/* Is it a pointer to the struct of this tag, and not to a const one? */
static bool points_to(CXType type, const char *tag)
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

static bool is_status(CXType type)
{
    CXType canonical = clang_getCanonicalType(type);
    if (canonical.kind != CXType_Enum)
        return false;
    CXString spelling = clang_getCursorSpelling(clang_getTypeDeclaration(canonical));
    bool same = !strcmp(clang_getCString(spelling), "chains_status");
    clang_disposeString(spelling);
    return same;
}

/* A prototype while it is checked. */
typedef struct entry {
    const char *name; /* "phi_llm_new" */
    CXCursor cursor;
    chainsi_position position;
    size_t parameter_count;
    const char *comment; /* or NULL */
    bool broken;         /* clang reports an error in it */
} entry;

/* Finds a function of a Chainlet. Reports it if it is missing and needed. */
static bool open_prototype(chainsi_reader *reader, const chainsi_reading *reading,
                           const char *suffix, const char *needed, chainsi_model_function *function,
                           entry *prototype)
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

static CXCursor parameter(const entry *prototype, size_t i)
{
    return clang_Cursor_getArgument(prototype->cursor, (unsigned)i);
}

static chainsi_position parameter_position(chainsi_reader *reader, CXCursor cursor)
{
    return chainsi_parse_position(reader, cursor);
}

static bool has_error(chainsi_reader *reader, CXCursor cursor)
{
    chainsi_region region = chainsi_parse_region(reader, cursor);
    region.end++;
    return chainsi_parse_has_error(reader, region, false);
}

/* Checks the result of a function. wanted is its spelling, said in the hint. */
static void check_result(chainsi_reader *reader, const entry *prototype, bool right,
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
static bool check_parameter(chainsi_reader *reader, const entry *prototype, size_t i,
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
    CXCursor cursor = parameter(prototype, i);
    if (points_to(clang_getCursorType(cursor), tag) || has_error(reader, cursor))
        return true;
    CHAINSI_ERROR(reader, parameter_position(reader, cursor),
                  CHAINSI_TEXT(reader, "write '%s'", declared),
                  "the %s parameter of '%s' is '%s' instead of '%s *'", ordinals[i],
                  prototype->name, chainsi_types_spell(reader, clang_getCursorType(cursor)), tag);
    return false;
}

static void check_last(chainsi_reader *reader, const entry *prototype, size_t count,
                       const char *declared)
{
    if (prototype->parameter_count <= count || prototype->broken)
        return;
    CHAINSI_ERROR(reader, parameter_position(reader, parameter(prototype, count)),
                  CHAINSI_TEXT(reader, "write '%s'", declared), "'%s' has a parameter too many",
                  prototype->name);
}

/* --- _new */

static void read_dependency(chainsi_reader *reader, const chainsi_reading *reading,
                            const entry *create, size_t i, chainsi_model_dependency *dependencies,
                            size_t *count)
{
    CXCursor cursor = parameter(create, i);
    CXType type = clang_getCanonicalType(clang_getCursorType(cursor));
    chainsi_position position = parameter_position(reader, cursor);
    const char *name = chainsi_parse_take(reader, clang_getCursorSpelling(cursor));
    if (has_error(reader, cursor))
        return; /* clang says it */
    const chainsi_reading *callee = NULL;
    bool pointer = type.kind == CXType_Pointer;
    CXType target = pointer ? clang_getPointeeType(type) : type;
    callee = chainsi_types_chainlet(reader, target);
    if (!callee || !pointer) {
        const char *spelled = chainsi_types_spell(reader, clang_getCursorType(cursor));
        if (callee) {
            CHAINSI_ERROR(reader, position,
                          CHAINSI_TEXT(reader, "write '%s *%s'", callee->chainlet->c_name, name),
                          "'%s' is '%s': a dependency is passed as a pointer", name, spelled);
            return;
        }
        for (size_t k = 0; k < reader->typedef_count; k++) { /* a Chainlet, but not of this chain */
            CXCursor typedef_ = reader->typedefs[k].cursor;
            CXType under = clang_getCanonicalType(clang_getCursorType(typedef_));
            if (under.kind != CXType_Record ||
                !clang_equalCursors(clang_getTypeDeclaration(under),
                                    clang_getTypeDeclaration(clang_getCanonicalType(target))))
                continue;
            if (chainsi_annotation_has(reader, typedef_, "chainlet") ||
                chainsi_annotation_has(reader, typedef_, "external")) {
                chainsi_position there = chainsi_parse_position(reader, typedef_);
                CHAINSI_ERROR(reader, position,
                              "move its header below the chain's folder, or declare the service "
                              "with CHAINLET_EXTERNAL",
                              "'%s' is '%s', which is declared outside of this chain, in %s", name,
                              spelled, there.file);
                return;
            }
        }
        CHAINSI_ERROR(reader, position,
                      "behind ctx stand the Chainlets that this one calls; options belong in "
                      "CHAINLET, arguments of a call in _run_remote",
                      "'%s' is '%s', which is no Chainlet", *name ? name : "the parameter",
                      spelled);
        return;
    }
    for (size_t k = 0; k < *count; k++)
        if (dependencies[k].chainlet == callee->chainlet)
            CHAINSI_ERROR(reader, position, "one is enough: calls to it may run at the same time",
                          "'%s' depends on '%s' twice", reading->chainlet->c_name,
                          callee->chainlet->c_name);
    if (!*name) {
        name = callee->chainlet->c_name;
        position.length = 1;
    }
    dependencies[(*count)++] = (chainsi_model_dependency){ .chainlet = callee->chainlet,
                                                           .parameter = name,
                                                           .position = position };
}

static void read_create(chainsi_reader *reader, const chainsi_reading *reading)
{
    chainsi_model_chainlet *chainlet = reading->chainlet;
    const char *declared =
        CHAINSI_TEXT(reader, "%s *%s_new(chains_ctx *ctx);", chainlet->c_name, chainlet->c_name);
    entry create;
    if (!open_prototype(reader, reading, "_new", declared, &chainlet->create, &create))
        return;
    check_result(reader, &create,
                 points_to(clang_getCursorResultType(create.cursor), chainlet->c_name),
                 CHAINSI_TEXT(reader, "%s *", chainlet->c_name));
    bool first = check_parameter(reader, &create, 0, "chains_ctx", "chains_ctx *ctx");
    chainsi_model_dependency *dependencies =
        chainsi_arena_array(reader->arena, create.parameter_count + 1, sizeof *dependencies);
    size_t count = 0;
    if (!first && create.parameter_count &&
        clang_getCanonicalType(clang_getCursorType(parameter(&create, 0))).kind == CXType_Pointer)
        first = true; /* most likely ctx is missing altogether; what follows is read all the same */
    for (size_t i = 1; i < create.parameter_count; i++)
        read_dependency(reader, reading, &create, i, dependencies, &count);
    (void)first;
    chainlet->dependencies = dependencies;
    chainlet->dependency_count = count;
}

/* --- _run_remote */

/* A parameter of run_remote is an output if it is a pointer to something that isn't const. */
static bool is_output(CXType type)
{
    CXType canonical = clang_getCanonicalType(type);
    if (canonical.kind != CXType_Pointer)
        return false;
    CXType target = clang_getCanonicalType(clang_getPointeeType(canonical));
    return !clang_isConstQualifiedType(target) && target.kind != CXType_Void &&
           target.kind != CXType_FunctionProto && target.kind != CXType_FunctionNoProto;
}

static void read_names(chainsi_reader *reader, const entry *run, CXCursor cursor,
                       chainsi_model_field *field)
{
    field->c_name = field->wire_name = chainsi_parse_take(reader, clang_getCursorSpelling(cursor));
    field->position = parameter_position(reader, cursor);
    chainsi_region region = chainsi_parse_region(reader, cursor);
    field->doc =
        run->comment ? chainsi_comment_parameter(reader, run->comment, field->c_name) : NULL;
    if (!field->doc && region.header != CHAINSI_NO_HEADER)
        field->doc = chainsi_comment_summary(
            reader, chainsi_comment_after(reader, region.header, region.end));
    chainsi_annotation_read(reader, cursor, field);
}

static bool check_name(chainsi_reader *reader, const entry *run, const chainsi_model_field *field)
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

static void read_input(chainsi_reader *reader, const entry *run, CXCursor cursor,
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
    if (has_error(reader, cursor))
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

static bool only_outputs_follow(const entry *run, size_t from)
{
    for (size_t i = from; i < run->parameter_count; i++)
        if (!is_output(clang_getCursorType(parameter(run, i))))
            return false;
    return true;
}

static void read_output(chainsi_reader *reader, chainsi_model_chainlet *chainlet, const entry *run,
                        size_t i, method_parts *method)
{
    CXCursor cursor = parameter(run, i);
    chainsi_model_field *field = &method->outputs[method->output_count];
    read_names(reader, run, cursor, field);
    if (!check_name(reader, run, field) || has_error(reader, cursor))
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

static void check_documented(chainsi_reader *reader, const entry *run)
{
    for (size_t i = 0; run->comment; i++) {
        const char *name = chainsi_comment_parameter_name(reader, run->comment, i);
        if (!name)
            break;
        bool known = false;
        for (size_t k = 0; k < run->parameter_count && !known; k++) {
            CXString spelling = clang_getCursorSpelling(parameter(run, k));
            known = !strcmp(clang_getCString(spelling), name);
            clang_disposeString(spelling);
        }
        if (!known)
            CHAINSI_WARNING(reader, run->position, "correct the name, or leave the line out",
                            "the comment describes '%s', but '%s' has no such parameter", name,
                            run->name);
    }
}

static bool read_run(chainsi_reader *reader, const chainsi_reading *reading, entry *run)
{
    chainsi_model_chainlet *chainlet = reading->chainlet;
    const char *name = chainlet->c_name;
    const char *declared = CHAINSI_TEXT(
        reader, "chains_status %s_run_remote(%s *self, chains_ctx *ctx, ...);", name, name);
    if (!open_prototype(reader, reading, "_run_remote", declared, &chainlet->run, run))
        return false;
    check_result(reader, run, is_status(clang_getCursorResultType(run->cursor)), "chains_status");
    check_parameter(reader, run, 0, name, CHAINSI_TEXT(reader, "%s *self", name));
    check_parameter(reader, run, 1, "chains_ctx", "chains_ctx *ctx");
    method_parts method = {
        .inputs =
            chainsi_arena_array(reader->arena, run->parameter_count + 1, sizeof *method.inputs),
        .outputs =
            chainsi_arena_array(reader->arena, run->parameter_count + 1, sizeof *method.outputs),
    };
    for (size_t i = 2; i < run->parameter_count; i++) {
        CXCursor cursor = parameter(run, i);
        if (is_output(clang_getCursorType(cursor)))
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

/* --- the others */

static void read_destroy(chainsi_reader *reader, const chainsi_reading *reading)
{
    chainsi_model_chainlet *chainlet = reading->chainlet;
    const char *name = chainlet->c_name;
    const char *declared = CHAINSI_TEXT(reader, "void %s_free(%s *self);", name, name);
    entry destroy;
    if (!open_prototype(reader, reading, "_free", declared, &chainlet->destroy, &destroy))
        return;
    check_result(reader, &destroy, clang_getCursorResultType(destroy.cursor).kind == CXType_Void,
                 "void");
    if (check_parameter(reader, &destroy, 0, name, CHAINSI_TEXT(reader, "%s *self", name)))
        check_last(reader, &destroy, 1, declared);
}

static void read_healthy(chainsi_reader *reader, const chainsi_reading *reading)
{
    chainsi_model_chainlet *chainlet = reading->chainlet;
    const char *name = chainlet->c_name;
    const char *declared =
        CHAINSI_TEXT(reader, "chains_status %s_healthy(%s *self, chains_ctx *ctx);", name, name);
    entry healthy;
    if (!open_prototype(reader, reading, "_healthy", NULL, &chainlet->healthy, &healthy))
        return;
    check_result(reader, &healthy, is_status(clang_getCursorResultType(healthy.cursor)),
                 "chains_status");
    if (check_parameter(reader, &healthy, 0, name, CHAINSI_TEXT(reader, "%s *self", name)) &&
        check_parameter(reader, &healthy, 1, "chains_ctx", "chains_ctx *ctx"))
        check_last(reader, &healthy, 2, declared);
}

/* How run_batch declares parameter i of run_remote: "const T input[]", "U output[]". */
static const char *spell_batched(chainsi_reader *reader, CXCursor cursor)
{
    CXType type = clang_getCursorType(cursor);
    const char *name = chainsi_parse_take(reader, clang_getCursorSpelling(cursor));
    if (is_output(type)) {
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
    bool output = is_output(type);
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
    return item.kind != CXType_Invalid && points_to(item, "chains_ctx") &&
           clang_isConstQualifiedType(clang_getCanonicalType(item));
}

static void read_batch(chainsi_reader *reader, const chainsi_reading *reading, const entry *run)
{
    chainsi_model_chainlet *chainlet = reading->chainlet;
    const char *name = chainlet->c_name;
    entry batch;
    if (!open_prototype(reader, reading, "_run_batch", NULL, &chainlet->batch, &batch) ||
        batch.broken)
        return;
    if (chainlet->stream) {
        CHAINSI_ERROR(reader, batch.position, "leave out one of them",
                      "'%s' has a stream, so it can't run in batches", run->name);
        return;
    }
    check_result(reader, &batch, is_status(clang_getCursorResultType(batch.cursor)),
                 "chains_status");
    chainsi_buffer text = { 0 };
    chainsi_buffer_printf(&text,
                          "chains_status %s_run_batch(%s *self, chains_ctx *const calls[], size_t "
                          "count",
                          name, name);
    for (size_t i = 2; i < run->parameter_count; i++)
        chainsi_buffer_printf(&text, ", %s", spell_batched(reader, parameter(run, i)));
    chainsi_buffer_add(&text, ");", 3);
    const char *declared = CHAINSI_TEXT(reader, "write '%s'", (const char *)text.data);
    chainsi_buffer_done(&text);
    CXCursor wrong = clang_getNullCursor();
    for (size_t i = 0; i < batch.parameter_count && clang_Cursor_isNull(wrong); i++) {
        CXCursor cursor = parameter(&batch, i);
        CXType type = clang_getCursorType(cursor);
        bool right = i == 0   ? points_to(type, name)
                     : i == 1 ? is_contexts(type)
                     : i == 2
                         ? clang_getCanonicalType(type).kind == CXType_ULong
                         : i - 1 < run->parameter_count && is_batched(type, parameter(run, i - 1));
        if (!right)
            wrong = cursor;
    }
    if (!clang_Cursor_isNull(wrong))
        CHAINSI_ERROR(reader, parameter_position(reader, wrong), declared,
                      "this parameter of '%s' doesn't match '%s'", batch.name, run->name);
    else if (batch.parameter_count != run->parameter_count + 1)
        CHAINSI_ERROR(reader, batch.position, declared,
                      "'%s' has %zu parameters; with those of '%s' it would have %zu", batch.name,
                      batch.parameter_count, run->name, run->parameter_count + 1);
}

static void refuse_function(chainsi_reader *reader, const chainsi_reading *reading,
                            const char *suffix)
{
    chainsi_model_function function;
    entry prototype;
    if (open_prototype(reader, reading, suffix, NULL, &function, &prototype))
        CHAINSI_ERROR(reader, prototype.position,
                      "leave it out: the service runs elsewhere, only _run_remote is declared",
                      "'%s' is declared for '%s', which is a CHAINLET_EXTERNAL", prototype.name,
                      reading->chainlet->c_name);
}

void chainsi_method_read(chainsi_reader *reader, chainsi_reading *reading)
{
    entry run = { 0 };
    if (reading->chainlet->external) {
        read_run(reader, reading, &run);
        static const char *const others[] = { "_new", "_free", "_healthy", "_run_batch" };
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            refuse_function(reader, reading, others[i]);
        return;
    }
    read_create(reader, reading);
    bool has_run = read_run(reader, reading, &run);
    read_destroy(reader, reading);
    read_healthy(reader, reading);
    if (has_run)
        read_batch(reader, reading, &run);
}
