/* x.guard.cc: the functions of a C++ or CUDA Chainlet behind extern "C" functions that no exception
 * leaves. A failure carries the exception's what(). Compiled with the author's C++ compiler, as
 * gnu++11 at the least. */
#include "compiler/generate.h"

typedef struct guard {
    const chainsi_model_chainlet *chainlet;
    chainsi_writer *writer;
    chainsi_arena *arena;
} guard;

/* The handlers behind a try block. The failure's place is where the function is declared: nobody knows
 * any more where the exception was thrown. */
static void write_catches(const guard *g, const char *function, const char *ctx,
                          const chainsi_model_function *declared, bool gives_status)
{
    chainsi_writer *writer = g->writer;
    const char *fail =
        chainsi_arena_printf(g->arena, "chains_fail_(%s, CHAINS_INTERNAL, %s, %d, \"%s_%s\",", ctx,
                             chainsi_c_string(g->arena, declared->position.file),
                             declared->position.line, g->chainlet->c_name, function);
    const char *give = gives_status ? "return " : "";
    chainsi_writer_close(writer, "} PASS_UNWINDING catch (const std::exception &exception) {");
    writer->depth++;
    chainsi_writer_line(writer, "%s%s", give, fail);
    chainsi_writer_line(writer, "             \"exception: %%s\", exception.what());");
    if (!gives_status)
        chainsi_writer_line(writer, "return nullptr;");
    chainsi_writer_close(writer, "} catch (...) {");
    writer->depth++;
    chainsi_writer_line(writer, "%s%s", give, fail);
    chainsi_writer_line(writer, "             \"an exception that is no std::exception\");");
    if (!gives_status)
        chainsi_writer_line(writer, "return nullptr;");
    chainsi_writer_close(writer, "}");
}

static void write_new(const guard *g)
{
    const chainsi_model_chainlet *chainlet = g->chainlet;
    size_t count = chainlet->dependency_count + 1;
    const char **parameters = chainsi_arena_array(g->arena, count, sizeof *parameters);
    const char **arguments = chainsi_arena_array(g->arena, count, sizeof *arguments);
    parameters[0] = "chains_ctx *chains_ctx_";
    arguments[0] = "chains_ctx_";
    for (size_t i = 1; i < count; i++) {
        arguments[i] = chainlet->dependencies[i - 1].parameter;
        parameters[i] = chainsi_arena_printf(
            g->arena, "%s *%s", chainlet->dependencies[i - 1].chainlet->c_name, arguments[i]);
    }
    chainsi_writer_blank(g->writer);
    chainsi_writer_list(g->writer,
                        chainsi_arena_printf(g->arena, "extern \"C\" %s *chains_guard_%s_new(",
                                             chainlet->c_name, chainlet->c_name),
                        parameters, count, ")");
    chainsi_writer_open(g->writer, "{");
    chainsi_writer_open(g->writer, "try {");
    chainsi_writer_list(g->writer,
                        chainsi_arena_printf(g->arena, "return %s_new(", chainlet->c_name),
                        arguments, count, ");");
    write_catches(g, "new", "chains_ctx_", &chainlet->create, false);
    chainsi_writer_close(g->writer, "}");
}

static void write_run(const guard *g)
{
    const char *const *declarations, *const *names;
    size_t count = chainsi_c_parameters(g->arena, g->chainlet, &declarations, &names);
    const char **parameters = chainsi_arena_array(g->arena, count + 2, sizeof *parameters);
    const char **arguments = chainsi_arena_array(g->arena, count + 2, sizeof *arguments);
    parameters[0] = chainsi_arena_printf(g->arena, "%s *chains_self_", g->chainlet->c_name);
    parameters[1] = "chains_ctx *chains_ctx_";
    arguments[0] = "chains_self_";
    arguments[1] = "chains_ctx_";
    for (size_t i = 0; i < count; i++) {
        parameters[i + 2] = declarations[i];
        arguments[i + 2] = names[i];
    }
    chainsi_writer_blank(g->writer);
    chainsi_writer_list(g->writer,
                        chainsi_arena_printf(g->arena,
                                             "extern \"C\" chains_status "
                                             "chains_guard_%s_run_remote(",
                                             g->chainlet->c_name),
                        parameters, count + 2, ")");
    chainsi_writer_open(g->writer, "{");
    chainsi_writer_open(g->writer, "try {");
    chainsi_writer_list(
        g->writer, chainsi_arena_printf(g->arena, "return %s_run_remote(", g->chainlet->c_name),
        arguments, count + 2, ");");
    write_catches(g, "run_remote", "chains_ctx_", &g->chainlet->run, true);
    chainsi_writer_close(g->writer, "}");
}

static void write_healthy(const guard *g)
{
    const char *name = g->chainlet->c_name;
    chainsi_writer_blank(g->writer);
    chainsi_writer_line(g->writer,
                        "extern \"C\" chains_status chains_guard_%s_healthy(%s *chains_self_, "
                        "chains_ctx *chains_ctx_)",
                        name, name);
    chainsi_writer_open(g->writer, "{");
    chainsi_writer_open(g->writer, "try {");
    chainsi_writer_line(g->writer, "return %s_healthy(chains_self_, chains_ctx_);", name);
    write_catches(g, "healthy", "chains_ctx_", &g->chainlet->healthy, true);
    chainsi_writer_close(g->writer, "}");
}

static void write_batch(const guard *g)
{
    chainsi_writer *writer = g->writer;
    const char *name = g->chainlet->c_name;
    chainsi_writer_blank(writer);
    chainsi_writer_line(writer, "/* A call that has not failed by itself: there is said what fails "
                                "all of them. */");
    chainsi_writer_line(writer, "static chains_ctx *chains_unfailed(chains_ctx *const calls[], "
                                "size_t count)");
    chainsi_writer_open(writer, "{");
    chainsi_writer_line(writer, "size_t i = 0;");
    chainsi_writer_open(writer, "while (i + 1 < count && chains_last_error(calls[i]))");
    chainsi_writer_line(writer, "i++;");
    writer->depth--;
    chainsi_writer_line(writer, "return calls[i];");
    chainsi_writer_close(writer, "}");
    chainsi_writer_blank(writer);
    chainsi_c_batch_prototype(
        writer, g->arena, g->chainlet,
        chainsi_arena_printf(g->arena, "extern \"C\" chains_status chains_guard_%s_run_batch(",
                             name),
        ")");
    const char *const *declarations, *const *names;
    size_t count = chainsi_c_batch_parameters(g->arena, g->chainlet, &declarations, &names);
    const char **arguments = chainsi_arena_array(g->arena, count + 3, sizeof *arguments);
    arguments[0] = "chains_self_";
    arguments[1] = "chains_calls_";
    arguments[2] = "chains_count_";
    for (size_t i = 0; i < count; i++)
        arguments[i + 3] = names[i];
    chainsi_writer_open(writer, "{");
    chainsi_writer_open(writer, "try {");
    chainsi_writer_list(writer, chainsi_arena_printf(g->arena, "return %s_run_batch(", name),
                        arguments, count + 3, ");");
    write_catches(g, "run_batch", "chains_unfailed(chains_calls_, chains_count_)",
                  &g->chainlet->batch, true);
    chainsi_writer_close(writer, "}");
}

static void write_free(const guard *g)
{
    const char *name = g->chainlet->c_name;
    chainsi_writer_blank(g->writer);
    chainsi_writer_line(g->writer, "extern \"C\" void chains_guard_%s_free(%s *chains_self_)", name,
                        name);
    chainsi_writer_open(g->writer, "{");
    chainsi_writer_open(g->writer, "try {");
    chainsi_writer_line(g->writer, "%s_free(chains_self_);", name);
    chainsi_writer_close(g->writer, "} PASS_UNWINDING catch (...) {");
    g->writer->depth++;
    chainsi_writer_line(g->writer, "/* It is gone; there is nobody left to tell. */");
    chainsi_writer_close(g->writer, "}");
    chainsi_writer_close(g->writer, "}");
}

void chainsi_generate_guard(chainsi_writer *writer, const chainsi_model_chainlet *chainlet)
{
    chainsi_arena arena = { 0 };
    guard g = { chainlet, writer, &arena };
    chainsi_writer_line(writer,
                        "/* %s.guard.cc: its functions, with exceptions turned into failures.\n"
                        " * Written by chains from %s:%d; changes are lost. */",
                        chainlet->c_name, chainlet->header, chainlet->position.line);
    chainsi_writer_line(writer, "#include <exception>");
    chainsi_writer_line(writer, "#ifdef __GLIBCXX__");
    chainsi_writer_line(writer, "#include <cxxabi.h>");
    chainsi_writer_line(writer, "/* How a thread is ended: not an exception to be kept here. */");
    chainsi_writer_line(writer, "#define PASS_UNWINDING catch (abi::__forced_unwind &) { throw; }");
    chainsi_writer_line(writer, "#else");
    chainsi_writer_line(writer, "#define PASS_UNWINDING");
    chainsi_writer_line(writer, "#endif");
    chainsi_writer_blank(writer);
    chainsi_writer_line(writer, "extern \"C\" {");
    chainsi_writer_line(writer, "#include \"%s\"", chainlet->header);
    chainsi_writer_line(writer, "}");
    write_new(&g);
    write_run(&g);
    if (chainlet->healthy.position.file)
        write_healthy(&g);
    if (chainlet->batch.position.file)
        write_batch(&g);
    write_free(&g);
    chainsi_arena_done(&arena);
}
