/* The batch in generated code: its prototype, and the thunk in x.glue.c from arrays of calls to arrays
 * of parameters. */
#include "compiler/generate.h"

#include <string.h>

size_t chainsi_c_batch_parameters(chainsi_arena *arena, const chainsi_model_chainlet *chainlet,
                                  const char *const **declarations, const char *const **names)
{
    size_t count = chainlet->input_count + chainlet->output_count;
    const char **declared = chainsi_arena_array(arena, count + 1, sizeof *declared);
    const char **named = chainsi_arena_array(arena, count + 1, sizeof *named);
    size_t at = 0;
    for (size_t i = 0; i < chainlet->input_count; i++, at++) {
        const char *type = chainlet->inputs[i].type->c_name;
        named[at] = chainlet->inputs[i].c_name;
        bool pointer = type[strlen(type) - 1] == '*';
        declared[at] = chainsi_arena_printf(arena, pointer ? "%sconst %s[]" : "const %s %s[]", type,
                                            named[at]);
    }
    for (size_t i = 0; i < chainlet->output_count; i++, at++) {
        named[at] = chainlet->outputs[i].c_name;
        declared[at] = chainsi_arena_printf(
            arena, "%s[]", chainsi_c_declare(arena, chainlet->outputs[i].type->c_name, named[at]));
    }
    *declarations = declared;
    *names = named;
    return count;
}

void chainsi_c_batch_prototype(chainsi_writer *writer, chainsi_arena *arena,
                               const chainsi_model_chainlet *chainlet, const char *head,
                               const char *tail)
{
    const char *const *declarations, *const *names;
    size_t count = chainsi_c_batch_parameters(arena, chainlet, &declarations, &names);
    const char **all = chainsi_arena_array(arena, count + 3, sizeof *all);
    all[0] = chainsi_arena_printf(arena, "%s *chains_self_", chainlet->c_name);
    all[1] = "chains_ctx *const chains_calls_[]";
    all[2] = "size_t chains_count_";
    for (size_t i = 0; i < count; i++)
        all[i + 3] = declarations[i];
    chainsi_writer_list(writer, head, all, count + 3, tail);
}

/* The loop that fills the arrays of inputs, or empties those of outputs. */
static void write_copies(chainsi_writer *writer, const char *head, bool inputs,
                         const chainsi_model_field *fields, size_t count)
{
    if (!count)
        return;
    chainsi_writer_open(writer, "for (size_t i = 0; i < count; i++) {");
    chainsi_writer_line(writer, "%s", head);
    for (size_t i = 0; i < count; i++) {
        const char *name = fields[i].c_name;
        if (inputs)
            chainsi_writer_line(writer, "all.%s[i] = in->%s;", name, name);
        else
            chainsi_writer_line(writer, "out->%s = all.%s[i];", name, name);
    }
    chainsi_writer_close(writer, "}");
}

void chainsi_generate_batch_thunk(chainsi_writer *writer, chainsi_arena *arena,
                                  const chainsi_model_chainlet *chainlet, const char *prefix)
{
    const char *name = chainlet->c_name;
    size_t input_count = chainlet->input_count, output_count = chainlet->output_count;
    size_t count = input_count + output_count;
    chainsi_writer_blank(writer);
    chainsi_writer_line(writer, "/* A member of `all` is one parameter of all calls. */");
    const char *parameters[] = { "void *self", "chains_ctx *const calls[]", "size_t count",
                                 "const void *const inputs[]", "void *const outputs[]" };
    chainsi_writer_list(writer, "static chains_status chains_run_batch(", parameters, 5, ")");
    chainsi_writer_open(writer, "{");
    const char **arguments = chainsi_arena_array(arena, count + 3, sizeof *arguments);
    arguments[0] = "self";
    arguments[1] = "calls";
    arguments[2] = "count";
    if (count)
        chainsi_writer_open(writer, "struct {");
    for (size_t i = 0; i < count; i++) {
        const chainsi_model_field *field =
            i < input_count ? &chainlet->inputs[i] : &chainlet->outputs[i - input_count];
        const char *member = chainsi_c_declare(arena, field->type->c_name, "*");
        chainsi_writer_line(writer, "%s;", chainsi_c_declare(arena, member, field->c_name));
        arguments[i + 3] = chainsi_arena_printf(arena, "all.%s", field->c_name);
    }
    if (count)
        chainsi_writer_close(writer, "} all;");
    if (!input_count)
        chainsi_writer_line(writer, "(void)inputs;");
    if (!output_count)
        chainsi_writer_line(writer, "(void)outputs;");
    for (size_t i = 3; i < count + 3; i++)
        chainsi_writer_line(writer, "%s = chains_alloc(calls[0], count * sizeof *%s);",
                            arguments[i], arguments[i]);
    write_copies(writer,
                 chainsi_arena_printf(arena, "const struct chains_%s_input *in = inputs[i];", name),
                 true, chainlet->inputs, input_count);
    const char *head =
        chainsi_arena_printf(arena, "%s%s%s_run_batch(",
                             output_count ? "chains_status status = " : "return ", prefix, name);
    chainsi_writer_list(writer, head, arguments, count + 3, ");");
    write_copies(writer,
                 chainsi_arena_printf(arena, "struct chains_%s_output *out = outputs[i];", name),
                 false, chainlet->outputs, output_count);
    if (output_count)
        chainsi_writer_line(writer, "return status;");
    chainsi_writer_close(writer, "}");
}
