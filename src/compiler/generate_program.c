/* The file that makes a program of Chainlets: its nodes, where each of their calls goes, and main;
 * in a test, the functions of the Chainlets as the test calls them. */
#include "compiler/generate.h"

#include <string.h>

typedef struct program {
    chainsi_writer *writer;
    chainsi_arena arena;
    chainsi_program_kind kind;
    const chainsi_program_node *nodes;
    size_t count;
} program;

static bool has_node(const program *p, const chainsi_model_chainlet *chainlet)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->nodes[i].chainlet == chainlet)
            return true;
    return false;
}

/* Whether some earlier node already had this dependency's header included. */
static bool is_included(const program *p, size_t node, size_t dependency)
{
    const chainsi_model_chainlet *wanted =
        p->nodes[node].chainlet->dependencies[dependency].chainlet;
    if (has_node(p, wanted))
        return true;
    for (size_t i = 0; i <= node; i++) {
        if (!p->nodes[i].local)
            continue;
        size_t count = i == node ? dependency : p->nodes[i].chainlet->dependency_count;
        for (size_t j = 0; j < count; j++)
            if (p->nodes[i].chainlet->dependencies[j].chainlet == wanted)
                return true;
    }
    return false;
}

static void write_includes(const program *p)
{
    for (size_t i = 0; i < p->count; i++)
        chainsi_writer_line(p->writer, "#include \"%s.call.h\"", p->nodes[i].chainlet->c_name);
    for (size_t i = 0; i < p->count; i++) {
        const chainsi_program_node *node = &p->nodes[i];
        for (size_t j = 0; node->local && j < node->chainlet->dependency_count; j++)
            if (!is_included(p, i, j))
                chainsi_writer_line(p->writer, "#include \"%s.call.h\"",
                                    node->chainlet->dependencies[j].chainlet->c_name);
    }
}

static void write_node(const program *p, const chainsi_program_node *node)
{
    chainsi_writer *writer = p->writer;
    const chainsi_model_chainlet *chainlet = node->chainlet;
    const char *name = chainlet->c_name;
    bool depends = node->local && chainlet->dependency_count;
    chainsi_writer_blank(writer);
    if (depends) {
        chainsi_writer_open(writer, "static const chainsi_binding calls_of_%s[] = {", name);
        for (size_t i = 0; i < chainlet->dependency_count; i++) {
            const chainsi_model_dependency *dependency = &chainlet->dependencies[i];
            const char *callee = dependency->chainlet->c_name;
            chainsi_writer_open(writer, "{ /* %s:%d */", dependency->position.file,
                                dependency->position.line);
            chainsi_writer_line(writer, ".interface = &chains_%s_interface,", callee);
            if (dependency->has_options)
                chainsi_writer_line(writer, ".options = &%s_%s_depends_,", name, callee);
            if (node->local[i])
                chainsi_writer_line(writer, ".local = &node_%s,", callee);
            chainsi_writer_close(writer, "},");
        }
        chainsi_writer_close(writer, "};");
    }
    chainsi_writer_open(writer, "static const chainsi_node node_%s = {", name);
    if (p->kind == CHAINSI_PROGRAM_DESCRIBER)
        chainsi_writer_line(writer, ".implementation = &described,");
    else
        chainsi_writer_line(writer, ".implementation = &chains_%s_implementation,", name);
    if (depends) {
        chainsi_writer_line(writer, ".dependencies = calls_of_%s,", name);
        chainsi_writer_line(writer, ".dependency_count = %zu,", chainlet->dependency_count);
    }
    if (node->fake)
        chainsi_writer_line(writer, ".fake = true,");
    chainsi_writer_close(writer, "};");
}

/* The functions of a Chainlet as the test's code calls them. */
static void write_stand_ins(program *p, const chainsi_model_chainlet *chainlet)
{
    chainsi_writer *writer = p->writer;
    chainsi_arena *arena = &p->arena;
    const char *name = chainlet->c_name;
    size_t count = chainlet->dependency_count;
    const char **parameters = chainsi_arena_array(arena, count + 1, sizeof *parameters);
    const char **arguments = chainsi_arena_array(arena, count + 1, sizeof *arguments);
    parameters[0] = "chains_ctx *chains_ctx_";
    for (size_t i = 0; i < count; i++) {
        arguments[i] = chainlet->dependencies[i].parameter;
        parameters[i + 1] = chainsi_arena_printf(
            arena, "%s *%s", chainlet->dependencies[i].chainlet->c_name, arguments[i]);
    }
    chainsi_writer_blank(writer);
    chainsi_writer_list(writer, chainsi_arena_printf(arena, "%s *%s_new(", name, name), parameters,
                        count + 1, ")");
    chainsi_writer_open(writer, "{");
    if (count)
        chainsi_writer_list(writer, "void *const chains_dependencies_[] = { ", arguments, count,
                            " };");
    chainsi_writer_line(writer, "return chainsi_local_new(&node_%s, chains_ctx_, %s);", name,
                        count ? "chains_dependencies_" : "NULL");
    chainsi_writer_close(writer, "}");
    chainsi_writer_blank(writer);
    chainsi_writer_line(writer, "void %s_free(%s *self)", name, name);
    chainsi_writer_open(writer, "{");
    chainsi_writer_line(writer, "chainsi_local_free(&node_%s, self);", name);
    chainsi_writer_close(writer, "}");
    if (!chainlet->healthy.position.file)
        return;
    chainsi_writer_blank(writer);
    chainsi_writer_line(writer, "chains_status %s_healthy(%s *self, chains_ctx *ctx)", name, name);
    chainsi_writer_open(writer, "{");
    chainsi_writer_line(writer, "return chainsi_local_healthy(&node_%s, self, ctx);", name);
    chainsi_writer_close(writer, "}");
}

static const char *job_of(chainsi_program_kind kind)
{
    switch (kind) {
    case CHAINSI_PROGRAM_SERVICE:
        return "a service";
    case CHAINSI_PROGRAM_RUN:
        return "a local run";
    case CHAINSI_PROGRAM_TEST:
        return "the Chainlets of a test";
    case CHAINSI_PROGRAM_DESCRIBER:
        break;
    }
    return "a program that describes a Chainlet";
}

void chainsi_generate_program(chainsi_writer *writer, chainsi_program_kind kind,
                              const chainsi_program_node *nodes, size_t count)
{
    program p = { .writer = writer, .kind = kind, .nodes = nodes, .count = count };
    chainsi_writer_line(writer, "/* The nodes of %s. Written by chains; changes are lost. */",
                        job_of(kind));
    write_includes(&p);
    const char *last = count ? nodes[count - 1].chainlet->c_name : NULL;
    if (kind == CHAINSI_PROGRAM_DESCRIBER) {
        chainsi_writer_blank(writer);
        chainsi_writer_open(writer, "static const chainsi_implementation described = {");
        chainsi_writer_line(writer, ".interface = &chains_%s_interface,", last);
        chainsi_writer_close(writer, "};");
    }
    for (size_t i = 0; i < count; i++)
        write_node(&p, &nodes[i]);
    if (kind == CHAINSI_PROGRAM_TEST) {
        for (size_t i = 0; i < count; i++)
            if (!nodes[i].fake)
                write_stand_ins(&p, nodes[i].chainlet);
    } else {
        chainsi_writer_blank(writer);
        chainsi_writer_line(writer, "int main(int argc, char **argv)");
        chainsi_writer_open(writer, "{");
        chainsi_writer_line(writer, "return chainsi_%s_main(&node_%s, argc, argv);",
                            kind == CHAINSI_PROGRAM_RUN ? "run" : "serve", last);
        chainsi_writer_close(writer, "}");
    }
    chainsi_arena_done(&p.arena);
}
