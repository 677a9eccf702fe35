/* What all generated files share, and the small ones: x.call.h, x.stub.c, x.glue.c.
 *
 * Names in generated code begin with `chains_`, or end in an underscore where they stand beside the
 * author's names, so that neither meets the other. */
#include "compiler/generate.h"

#include <string.h>

static const char *open_comment(const chainsi_model_chainlet *chainlet, const char *suffix,
                                const char *job, chainsi_arena *arena)
{
    return chainsi_arena_printf(
        arena, "/* %s%s: %s\n * Written by chains from %s:%d; changes are lost. */",
        chainlet->c_name, suffix, job, chainlet->header, chainlet->position.line);
}

const char *chainsi_c_declare(chainsi_arena *arena, const char *type, const char *name)
{
    size_t size = strlen(type);
    bool pointer = size && type[size - 1] == '*';
    return chainsi_arena_printf(arena, pointer ? "%s%s" : "%s %s", type, name);
}

size_t chainsi_c_parameters(chainsi_arena *arena, const chainsi_model_chainlet *chainlet,
                            const char *const **declarations, const char *const **names)
{
    size_t count = chainlet->input_count + chainlet->output_count + (chainlet->stream ? 1 : 0);
    const char **declared = chainsi_arena_array(arena, count + 1, sizeof *declared);
    const char **named = chainsi_arena_array(arena, count + 1, sizeof *named);
    size_t at = 0;
    for (size_t i = 0; i < chainlet->input_count; i++, at++) {
        named[at] = chainlet->inputs[i].c_name;
        declared[at] = chainsi_c_declare(arena, chainlet->inputs[i].type->c_name, named[at]);
    }
    for (size_t i = 0; i < chainlet->output_count; i++, at++) {
        named[at] = chainlet->outputs[i].c_name;
        const char *pointer = chainsi_c_declare(arena, chainlet->outputs[i].type->c_name, "*");
        declared[at] = chainsi_c_declare(arena, pointer, named[at]);
    }
    if (chainlet->stream) {
        named[at] = chainlet->stream->c_name;
        declared[at] = chainsi_arena_printf(arena, "%s *%s", chainlet->stream_c_name, named[at]);
        at++;
    }
    *declarations = declared;
    *names = named;
    return count;
}

/* `head self, ctx, items… tail` over as many lines as it takes. */
static void write_with_self(chainsi_writer *writer, chainsi_arena *arena, const char *head,
                            const char *self, const char *ctx, const char *const *items,
                            size_t count, const char *tail)
{
    const char **all = chainsi_arena_array(arena, count + 2, sizeof *all);
    all[0] = self;
    all[1] = ctx;
    for (size_t i = 0; i < count; i++)
        all[i + 2] = items[i];
    chainsi_writer_list(writer, head, all, count + 2, tail);
}

static void write_struct(chainsi_writer *writer, chainsi_arena *arena, const char *c_name,
                         const char *role, const chainsi_model_field *fields, size_t count)
{
    if (!count)
        return;
    chainsi_writer_blank(writer);
    chainsi_writer_line(writer, "/* The %ss of a call, in order. */", role);
    chainsi_writer_open(writer, "struct chains_%s_%s {", c_name, role);
    for (size_t i = 0; i < count; i++)
        chainsi_writer_line(writer, "%s;",
                            chainsi_c_declare(arena, fields[i].type->c_name, fields[i].c_name));
    chainsi_writer_close(writer, "};");
}

void chainsi_generate_call(chainsi_writer *writer, const chainsi_model_chainlet *chainlet)
{
    chainsi_arena arena = { 0 };
    const char *name = chainlet->c_name;
    chainsi_writer_line(writer, "%s",
                        open_comment(chainlet, ".call.h", "a call as structs.", &arena));
    chainsi_writer_line(writer, "#ifndef CHAINS_CALL_%s_H", name);
    chainsi_writer_line(writer, "#define CHAINS_CALL_%s_H", name);
    chainsi_writer_blank(writer);
    chainsi_writer_line(writer, "#include \"%s\"", chainlet->header);
    chainsi_writer_line(writer, "#include \"runtime/glue.h\"");
    write_struct(writer, &arena, name, "input", chainlet->inputs, chainlet->input_count);
    write_struct(writer, &arena, name, "output", chainlet->outputs, chainlet->output_count);
    chainsi_writer_blank(writer);
    chainsi_writer_line(writer, "extern const chainsi_interface chains_%s_interface;", name);
    chainsi_writer_line(writer, "extern const chainsi_implementation chains_%s_implementation;",
                        name);
    chainsi_writer_blank(writer);
    chainsi_writer_line(writer, "#endif");
    chainsi_arena_done(&arena);
}

/* What takes the items of a call's stream, on the caller's side. */
static void write_deliver(chainsi_writer *writer, chainsi_arena *arena,
                          const chainsi_model_chainlet *chainlet)
{
    chainsi_writer_line(writer, "/* Hands an item to the caller's emit. */");
    chainsi_writer_line(
        writer, "static chains_status chains_deliver_(chainsi_stream *stream, const void *item)");
    chainsi_writer_open(writer, "{");
    chainsi_writer_line(writer, "%s *to = stream->user;", chainlet->stream_c_name);
    chainsi_writer_line(writer, "return to->emit(to, *(%s)item);",
                        chainsi_c_declare(arena, chainlet->stream->type->c_name, "const *"));
    chainsi_writer_close(writer, "}");
    chainsi_writer_blank(writer);
}

void chainsi_generate_stub(chainsi_writer *writer, const chainsi_model_chainlet *chainlet)
{
    chainsi_arena arena = { 0 };
    const char *name = chainlet->c_name;
    chainsi_writer_line(
        writer, "%s",
        open_comment(chainlet, ".stub.c", "its run_remote as callers see it.", &arena));
    chainsi_writer_line(writer, "#include \"%s.call.h\"", name);
    chainsi_writer_blank(writer);
    if (chainlet->stream)
        write_deliver(writer, &arena, chainlet);
    const char *const *declarations, *const *names;
    size_t count = chainsi_c_parameters(&arena, chainlet, &declarations, &names);
    write_with_self(writer, &arena,
                    chainsi_arena_printf(&arena, "chains_status %s_run_remote(", name),
                    chainsi_arena_printf(&arena, "%s *chains_self_", name),
                    "chains_ctx *chains_ctx_", declarations, count, ")");
    chainsi_writer_open(writer, "{");
    const char *input = "NULL", *outputs = "NULL", *stream = "NULL";
    if (chainlet->input_count) {
        chainsi_writer_open(writer, "const struct chains_%s_input chains_input_ = {", name);
        for (size_t i = 0; i < chainlet->input_count; i++)
            chainsi_writer_line(writer, ".%s = %s,", names[i], names[i]);
        chainsi_writer_close(writer, "};");
        input = "&chains_input_";
    } else {
        chainsi_writer_line(writer, "const char chains_input_ = 0; /* there are no inputs */");
        input = "&chains_input_";
    }
    if (chainlet->output_count) {
        chainsi_writer_list(writer, "void *const chains_outputs_[] = { ",
                            names + chainlet->input_count, chainlet->output_count, " };");
        outputs = "chains_outputs_";
    }
    if (chainlet->stream) {
        chainsi_writer_line(writer,
                            "const chainsi_stream chains_stream_ = { .deliver = chains_deliver_, "
                            ".user = %s };",
                            names[count - 1]);
        stream = chainsi_arena_printf(&arena, "%s ? &chains_stream_ : NULL", names[count - 1]);
    }
    const char *call[] = { "chains_self_", "chains_ctx_", input, outputs, stream };
    chainsi_writer_list(writer, "return chainsi_call(", call, 5, ");");
    chainsi_writer_close(writer, "}");
    chainsi_arena_done(&arena);
}

/* ------------------------------------------------------------------------------------------------
 * glue */

typedef struct glue {
    const chainsi_model_chainlet *chainlet;
    chainsi_writer *writer;
    chainsi_arena *arena;
    const char *prefix; /* of the functions that are called: "" or "chains_guard_" */
    bool fake;
    bool healthy;
    bool batch;
} glue;

static bool is_guarded(const chainsi_model_chainlet *chainlet)
{
    return chainlet->language == CHAINSI_LANGUAGE_CXX ||
           chainlet->language == CHAINSI_LANGUAGE_CUDA;
}

static void write_create_thunk(const glue *g)
{
    chainsi_writer *writer = g->writer;
    const chainsi_model_chainlet *chainlet = g->chainlet;
    chainsi_writer_blank(writer);
    chainsi_writer_line(writer,
                        "static void *chains_create(chains_ctx *ctx, void *const dependencies[])");
    chainsi_writer_open(writer, "{");
    if (g->fake || !chainlet->dependency_count)
        chainsi_writer_line(writer, "(void)dependencies;");
    const char **arguments =
        chainsi_arena_array(g->arena, chainlet->dependency_count + 1, sizeof *arguments);
    arguments[0] = "ctx";
    for (size_t i = 0; i < chainlet->dependency_count; i++)
        arguments[i + 1] =
            g->fake ? "NULL" : chainsi_arena_printf(g->arena, "dependencies[%zu]", i);
    chainsi_writer_list(
        writer, chainsi_arena_printf(g->arena, "return %s%s_new(", g->prefix, chainlet->c_name),
        arguments, chainlet->dependency_count + 1, ");");
    chainsi_writer_close(writer, "}");
}

static void write_run_thunk(const glue *g)
{
    chainsi_writer *writer = g->writer;
    const chainsi_model_chainlet *chainlet = g->chainlet;
    const char *name = chainlet->c_name;
    if (chainlet->stream) {
        chainsi_writer_blank(writer);
        chainsi_writer_line(writer,
                            "/* What the author's stream does: items go where the caller wants "
                            "them. */");
        const char *parameters[] = {
            chainsi_arena_printf(g->arena, "%s *stream", chainlet->stream_c_name),
            chainsi_c_declare(g->arena, chainlet->stream->type->c_name, "item"),
        };
        chainsi_writer_list(writer, "static chains_status chains_emit(", parameters, 2, ")");
        chainsi_writer_open(writer, "{");
        chainsi_writer_line(writer, "return chainsi_emit(stream->user, &item);");
        chainsi_writer_close(writer, "}");
    }
    chainsi_writer_blank(writer);
    const char *parameters[] = { "void *self", "chains_ctx *ctx", "const void *input",
                                 "void *output", "void *stream" };
    chainsi_writer_list(writer, "static chains_status chains_run(", parameters, 5, ")");
    chainsi_writer_open(writer, "{");
    if (chainlet->input_count)
        chainsi_writer_line(writer, "const struct chains_%s_input *in = input;", name);
    else
        chainsi_writer_line(writer, "(void)input;");
    if (chainlet->output_count)
        chainsi_writer_line(writer, "struct chains_%s_output *out = output;", name);
    else
        chainsi_writer_line(writer, "(void)output;");
    if (chainlet->stream)
        chainsi_writer_line(writer, "%s items = { .emit = chains_emit, .user = stream };",
                            chainlet->stream_c_name);
    else
        chainsi_writer_line(writer, "(void)stream;");
    size_t count = chainlet->input_count + chainlet->output_count;
    const char **arguments = chainsi_arena_array(g->arena, count + 1, sizeof *arguments);
    for (size_t i = 0; i < chainlet->input_count; i++)
        arguments[i] = chainsi_arena_printf(g->arena, "in->%s", chainlet->inputs[i].c_name);
    for (size_t i = 0; i < chainlet->output_count; i++)
        arguments[chainlet->input_count + i] =
            chainsi_arena_printf(g->arena, "&out->%s", chainlet->outputs[i].c_name);
    if (chainlet->stream)
        arguments[count++] = "&items";
    write_with_self(writer, g->arena,
                    chainsi_arena_printf(g->arena, "return %s%s_run_remote(", g->prefix, name),
                    "self", "ctx", arguments, count, ");");
    chainsi_writer_close(writer, "}");
}

static void write_small_thunks(const glue *g)
{
    chainsi_writer *writer = g->writer;
    chainsi_writer_blank(writer);
    chainsi_writer_line(writer, "static void chains_destroy(void *self)");
    chainsi_writer_open(writer, "{");
    chainsi_writer_line(writer, "%s%s_free(self);", g->prefix, g->chainlet->c_name);
    chainsi_writer_close(writer, "}");
    if (!g->healthy)
        return;
    chainsi_writer_blank(writer);
    chainsi_writer_line(writer, "static chains_status chains_healthy(void *self, chains_ctx *ctx)");
    chainsi_writer_open(writer, "{");
    chainsi_writer_line(writer, "return %s%s_healthy(self, ctx);", g->prefix, g->chainlet->c_name);
    chainsi_writer_close(writer, "}");
}

static void write_implementation(const glue *g)
{
    chainsi_writer *writer = g->writer;
    const char *name = g->chainlet->c_name;
    chainsi_writer_blank(writer);
    chainsi_writer_open(writer, "const chainsi_implementation chains_%s_implementation = {", name);
    chainsi_writer_line(writer, ".interface = &chains_%s_interface,", name);
    chainsi_writer_line(writer, ".create = chains_create,");
    chainsi_writer_line(writer, ".run = chains_run,");
    chainsi_writer_line(writer, ".destroy = chains_destroy,");
    if (g->healthy)
        chainsi_writer_line(writer, ".healthy = chains_healthy,");
    if (g->batch)
        chainsi_writer_line(writer, ".run_batch = chains_run_batch,");
    chainsi_writer_close(writer, "};");
}

static void write_prototype(chainsi_writer *writer, chainsi_arena *arena,
                            const chainsi_model_chainlet *chainlet, const char *prefix,
                            const char *tail)
{
    const char *const *declarations, *const *names;
    size_t count = chainsi_c_parameters(arena, chainlet, &declarations, &names);
    write_with_self(
        writer, arena,
        chainsi_arena_printf(arena, "chains_status %s%s_run_remote(", prefix, chainlet->c_name),
        chainsi_arena_printf(arena, "%s *chains_self_", chainlet->c_name),
        "chains_ctx *chains_ctx_", declarations, count, tail);
}

/* `name *prefix_name_new(chains_ctx *ctx, dep *dep, …) tail`. */
static void write_new_prototype(chainsi_writer *writer, chainsi_arena *arena,
                                const chainsi_model_chainlet *chainlet, const char *prefix,
                                const char *tail)
{
    size_t count = chainlet->dependency_count + 1;
    const char **parameters = chainsi_arena_array(arena, count, sizeof *parameters);
    parameters[0] = "chains_ctx *chains_ctx_";
    for (size_t i = 1; i < count; i++)
        parameters[i] =
            chainsi_arena_printf(arena, "%s *%s", chainlet->dependencies[i - 1].chainlet->c_name,
                                 chainlet->dependencies[i - 1].parameter);
    chainsi_writer_list(
        writer,
        chainsi_arena_printf(arena, "%s *%s%s_new(", chainlet->c_name, prefix, chainlet->c_name),
        parameters, count, tail);
}

void chainsi_generate_glue(chainsi_writer *writer, const chainsi_model_chainlet *chainlet)
{
    chainsi_arena arena = { 0 };
    const char *name = chainlet->c_name;
    const char *job = "from tables to the author's functions.";
    chainsi_writer_line(writer, "%s", open_comment(chainlet, ".glue.c", job, &arena));
    chainsi_writer_line(writer, "#include \"%s.call.h\"", name);
    glue g = { .chainlet = chainlet,
               .writer = writer,
               .arena = &arena,
               .prefix = "",
               .healthy = chainlet->healthy.position.file != NULL,
               .batch = chainlet->batch.position.file != NULL };
    if (is_guarded(chainlet)) {
        g.prefix = "chains_guard_";
        chainsi_writer_blank(writer);
        chainsi_writer_line(writer, "/* In %s.guard.cc: no exception leaves these. */", name);
        write_new_prototype(writer, &arena, chainlet, g.prefix, ");");
        write_prototype(writer, &arena, chainlet, g.prefix, ");");
        chainsi_writer_line(writer, "void chains_guard_%s_free(%s *self);", name, name);
        if (g.healthy)
            chainsi_writer_line(writer,
                                "chains_status chains_guard_%s_healthy(%s *self, chains_ctx *ctx);",
                                name, name);
        if (g.batch)
            chainsi_c_batch_prototype(
                writer, &arena, chainlet,
                chainsi_arena_printf(&arena, "chains_status chains_guard_%s_run_batch(", name),
                ");");
    }
    write_create_thunk(&g);
    write_run_thunk(&g);
    if (g.batch)
        chainsi_generate_batch_thunk(writer, &arena, chainlet, g.prefix);
    write_small_thunks(&g);
    write_implementation(&g);
    chainsi_arena_done(&arena);
}

void chainsi_generate_fake(chainsi_writer *writer, const chainsi_model_chainlet *chainlet,
                           chainsi_fake_functions functions)
{
    chainsi_arena arena = { 0 };
    const char *name = chainlet->c_name;
    const char *job = "from tables to the functions of a fake.";
    chainsi_writer_line(writer, "%s", open_comment(chainlet, ".fake.c", job, &arena));
    chainsi_writer_line(writer, "#include \"%s.call.h\"", name);
    if (!functions.create) {
        chainsi_writer_blank(writer);
        chainsi_writer_line(writer, "/* The fake has no state: any address will do for it. */");
        if (chainlet->external)
            chainsi_writer_line(writer, "static %s *%s_new(chains_ctx *chains_ctx_)", name, name);
        else
            write_new_prototype(writer, &arena, chainlet, "", ")");
        chainsi_writer_open(writer, "{");
        chainsi_writer_line(writer, "static long long nothing;");
        chainsi_writer_line(writer, "(void)chains_ctx_;");
        for (size_t i = 0; i < chainlet->dependency_count; i++)
            chainsi_writer_line(writer, "(void)%s;", chainlet->dependencies[i].parameter);
        chainsi_writer_line(writer, "return (%s *)(void *)&nothing;", name);
        chainsi_writer_close(writer, "}");
    }
    if (!functions.destroy) {
        chainsi_writer_blank(writer);
        chainsi_writer_line(writer, "%svoid %s_free(%s *self)", chainlet->external ? "static " : "",
                            name, name);
        chainsi_writer_open(writer, "{");
        chainsi_writer_line(writer, "(void)self;");
        chainsi_writer_close(writer, "}");
    }
    glue g = { .chainlet = chainlet,
               .writer = writer,
               .arena = &arena,
               .prefix = "",
               .fake = true,
               .healthy = functions.healthy,
               .batch = functions.batch };
    write_create_thunk(&g);
    write_run_thunk(&g);
    if (g.batch)
        chainsi_generate_batch_thunk(writer, &arena, chainlet, g.prefix);
    write_small_thunks(&g);
    write_implementation(&g);
    chainsi_arena_done(&arena);
}
