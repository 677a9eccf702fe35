/* Programs: their nodes in a generated file, and the link of all parts. */
#include "compiler/build_state.h"

#include <stdlib.h>
#include <string.h>

/* Which parts of which Chainlet a program holds, by the Chainlet's index. */
typedef struct holding {
    bool *types, *stubs, *units;
    bool external; /* something is called that is deployed elsewhere */
} holding;

static holding new_holding(chainsi_build *build)
{
    size_t count = build->model->chainlet_count;
    return (holding){
        .types = chainsi_arena_array(&build->arena, count, sizeof(bool)),
        .stubs = chainsi_arena_array(&build->arena, count, sizeof(bool)),
        .units = chainsi_arena_array(&build->arena, count, sizeof(bool)),
    };
}

static holding find_holding(chainsi_build *build, const chainsi_program_plan *plan)
{
    holding held = new_holding(build);
    for (size_t i = 0; i < plan->node_count; i++) {
        const chainsi_program_node *node = &plan->nodes[i];
        const chainsi_model_chainlet *chainlet = node->chainlet;
        held.types[chainlet->index] = true;
        if (plan->kind == CHAINSI_PROGRAM_DESCRIBER)
            continue;
        if (plan->kind == CHAINSI_PROGRAM_TEST && !node->fake)
            held.stubs[chainlet->index] = true;
        if (!node->fake)
            held.units[chainlet->index] = true;
        for (size_t j = 0; node->local && j < chainlet->dependency_count; j++) {
            const chainsi_model_chainlet *callee = chainlet->dependencies[j].chainlet;
            held.types[callee->index] = held.stubs[callee->index] = true;
            held.external = held.external || (callee->external && !node->local[j]);
        }
    }
    return held;
}

static bool save_nodes(chainsi_build *build, const chainsi_program_plan *plan, bool tls,
                       const char *path)
{
    chainsi_writer writer = { 0 };
    chainsi_generate_program(&writer, plan->kind, plan->nodes, plan->node_count);
    if (tls) {
        chainsi_writer_blank(&writer);
        chainsi_writer_line(&writer, "/* It calls what may be reached by https only. */");
        chainsi_writer_line(&writer, "#include \"rpc/tls.h\"");
        chainsi_writer_blank(&writer);
        chainsi_writer_line(&writer, "__attribute__((constructor)) static void use_tls(void)");
        chainsi_writer_open(&writer, "{");
        chainsi_writer_line(&writer, "chainsi_tls_register();");
        chainsi_writer_close(&writer, "}");
    }
    return chainsi_build_save(build, &writer, path);
}

static bool write_program(chainsi_build *build, chainsi_writer *manifest,
                          const chainsi_program_plan *plan)
{
    chainsi_arena *arena = &build->arena;
    holding held = find_holding(build, plan);
    bool tls = held.external && build->support.tls_library;
    const char *source = chainsi_arena_printf(arena, "%s/nodes.c", plan->folder);
    const char *object = chainsi_arena_printf(arena, "%s/nodes.o", plan->folder);
    if (!chainsi_build_make_folder(build, plan->folder) || !save_nodes(build, plan, tls, source))
        return false;

    chainsi_buffer inputs = { 0 }, libs = { 0 }, headers = { 0 };
    bool cxx = false;
    chainsi_buffer_printf(&inputs, " %s", chainsi_ninja_path(arena, object));
    for (size_t i = 0; i < plan->fake_count; i++) {
        chainsi_buffer_printf(&inputs, " %s", chainsi_ninja_path(arena, plan->fakes[i]->linked));
        cxx = cxx || plan->fakes[i]->is_cxx;
    }
    for (size_t i = 0; i < build->model->chainlet_count; i++) {
        const chainsi_unit *unit = &build->units[i];
        static const char *const names[] = { "types", "stub", "unit" };
        const bool wanted[] = { held.types[i], held.stubs[i], held.units[i] };
        for (size_t j = 0; j < 3; j++)
            if (wanted[j])
                chainsi_buffer_printf(
                    &inputs, " %s",
                    chainsi_ninja_path(arena, chainsi_build_part(build, unit->chainlet, names[j])));
        if (held.types[i])
            chainsi_buffer_add_text(&headers, unit->header_flags);
        if (held.units[i]) {
            chainsi_buffer_add_text(&libs, unit->libs);
            cxx = cxx || unit->uses_cxx;
        }
    }
    chainsi_writer_blank(manifest);
    chainsi_writer_open(manifest, "build %s: cc %s", chainsi_ninja_path(arena, object),
                        chainsi_ninja_path(arena, source));
    const char *header_words =
        chainsi_arena_copy(arena, headers.data ? headers.data : (uint8_t *)"", headers.size);
    chainsi_writer_line(manifest, "words = $generated $internal%s",
                        chainsi_ninja_value(arena, header_words));
    manifest->depth--;
    const char *library = build->support.library;
    chainsi_writer_open(manifest, "build %s: program%.*s | %s",
                        chainsi_ninja_path(arena, plan->binary), (int)inputs.size,
                        (const char *)inputs.data, chainsi_ninja_path(arena, library));
    chainsi_writer_line(manifest, "driver = %s", cxx ? "$cxx" : "$cc");
    const char *author_libs =
        chainsi_arena_copy(arena, libs.data ? libs.data : (uint8_t *)"", libs.size);
    const char *words = chainsi_arena_printf(
        arena, "%s%s%s%s%s -pthread -lm",
        tls ? chainsi_shell_quote(arena, build->support.tls_library) : "", tls ? " " : "",
        chainsi_shell_quote(arena, library), tls ? " -lssl -lcrypto" : "", author_libs);
    chainsi_writer_line(manifest, "libs = %s", chainsi_ninja_value(arena, words));
    manifest->depth--;
    chainsi_buffer_done(&inputs);
    chainsi_buffer_done(&libs);
    chainsi_buffer_done(&headers);
    return true;
}

static bool write_manifest(chainsi_build *build, const char *name,
                           const chainsi_program_plan *plans, size_t count)
{
    chainsi_arena *arena = &build->arena;
    chainsi_writer writer = { 0 };
    const char *log_name = chainsi_arena_copy(arena, name, strcspn(name, "."));
    chainsi_build_rules(build, &writer, log_name);
    const chainsi_fake_file **written = NULL; /* a fake may be part of several programs */
    size_t written_count = 0;
    bool good = true;
    for (size_t i = 0; i < count && good; i++) {
        for (size_t j = 0; j < plans[i].fake_count && good; j++) {
            const chainsi_fake_file *file = plans[i].fakes[j];
            bool known = false;
            for (size_t k = 0; k < written_count; k++)
                known = known || written[k] == file;
            if (known)
                continue;
            const chainsi_fake_file **more =
                chainsi_arena_array(arena, written_count + 1, sizeof *more);
            if (written_count)
                memcpy(more, written, written_count * sizeof *more);
            more[written_count++] = file;
            written = more;
            chainsi_writer_blank(&writer);
            good = chainsi_build_write_fake(build, &writer, file);
        }
        good = good && write_program(build, &writer, &plans[i]);
    }
    if (!good) {
        chainsi_writer_done(&writer);
        return false;
    }
    return chainsi_build_save(build, &writer,
                              chainsi_arena_printf(arena, "%s/%s", build->out, name));
}

bool chainsi_build_make_programs(chainsi_build *build, const char *manifest,
                                 const chainsi_program_plan *plans, size_t count, bool *made)
{
    holding all = new_holding(build);
    for (size_t i = 0; i < count; i++) {
        holding held = find_holding(build, &plans[i]);
        for (size_t j = 0; j < build->model->chainlet_count; j++) {
            all.types[j] = all.types[j] || held.types[j];
            all.stubs[j] = all.stubs[j] || held.stubs[j];
            all.units[j] = all.units[j] || held.units[j];
        }
    }
    if (!chainsi_build_make_parts(build, all.types, all.stubs, all.units) ||
        !write_manifest(build, manifest, plans, count))
        return false;
    const char **targets = chainsi_arena_array(&build->arena, count + 1, sizeof *targets);
    for (size_t i = 0; i < count; i++)
        targets[i] = plans[i].binary;
    bool good = chainsi_build_ninja(build, manifest, targets, count);
    for (size_t i = 0; i < count; i++)
        made[i] = good || chainsi_build_is_current(build, manifest, targets[i]);
    return good;
}
