/* Fakes: C files that define Chainlets' functions in place of the real ones, and tests, which are
 * programs that may hold fakes. A file is compiled, its symbols tell what it defines, and it is linked
 * by itself with the glue of that, so that its definitions don't meet the stubs. */
#include "compiler/build_state.h"

#include <stdio.h>
#include <string.h>

bool chainsi_fake_defines(const chainsi_fake_file *file, const chainsi_model_chainlet *chainlet)
{
    char name[512];
    snprintf(name, sizeof name, "%s_run_remote", chainlet->c_name);
    return chainsi_symbols_define(&file->symbols, name);
}

static bool defines(const chainsi_fake_file *file, const chainsi_model_chainlet *chainlet,
                    const char *function)
{
    char name[512];
    snprintf(name, sizeof name, "%s_%s", chainlet->c_name, function);
    return chainsi_symbols_define(&file->symbols, name);
}

static bool write_manifest(chainsi_build *build, const chainsi_fake_file *files, size_t count)
{
    chainsi_arena *arena = &build->arena;
    chainsi_writer writer = { 0 };
    chainsi_build_rules(build, &writer, "fakes");
    for (size_t i = 0; i < count; i++) {
        chainsi_writer_blank(&writer);
        chainsi_writer_open(&writer, "build %s: %s %s", chainsi_ninja_path(arena, files[i].object),
                            files[i].is_cxx ? "cxx" : "cc",
                            chainsi_ninja_path(arena, files[i].path));
        chainsi_writer_line(&writer, "words = %s",
                            chainsi_ninja_value(arena, chainsi_build_test_words(build, &files[i])));
        writer.depth--;
    }
    return chainsi_build_save(build, &writer,
                              chainsi_arena_printf(arena, "%s/fakes.ninja", build->out));
}

bool chainsi_build_compile_fakes(chainsi_build *build, chainsi_fake_file *files, size_t count,
                                 bool *compiled)
{
    if (!count)
        return true;
    if (!write_manifest(build, files, count))
        return false;
    const char **objects = chainsi_arena_array(&build->arena, count, sizeof *objects);
    for (size_t i = 0; i < count; i++)
        objects[i] = files[i].object;
    bool all = chainsi_build_ninja(build, "fakes.ninja", objects, count);
    for (size_t i = 0; i < count; i++) {
        /* One that failed may have an old object: ask for it alone what is known already. */
        compiled[i] = (all || chainsi_build_is_current(build, "fakes.ninja", objects[i])) &&
                      chainsi_symbols_read(&files[i].symbols, chainsi_build_path(build, objects[i]),
                                           &build->arena);
        all = all && compiled[i];
    }
    return all;
}

bool chainsi_build_write_fake(chainsi_build *build, chainsi_writer *manifest,
                              const chainsi_fake_file *file)
{
    chainsi_arena *arena = &build->arena;
    chainsi_buffer objects = { 0 }, keep = { 0 };
    bool good = chainsi_build_make_folder(build, file->folder);
    for (size_t i = 0; i < build->model->chainlet_count && good; i++) {
        const chainsi_model_chainlet *chainlet = build->model->chainlets[i];
        if (!chainsi_fake_defines(file, chainlet))
            continue;
        chainsi_fake_functions given = {
            .create = defines(file, chainlet, "new"),
            .destroy = defines(file, chainlet, "free"),
            .healthy = defines(file, chainlet, "healthy") && chainlet->healthy.position.file,
            .batch = defines(file, chainlet, "run_batch") && chainlet->batch.position.file,
        };
        if (chainlet->external) /* its header declares no more than run_remote */
            given = (chainsi_fake_functions){ 0 };
        chainsi_writer text = { 0 };
        chainsi_generate_fake(&text, chainlet, given);
        const char *source =
            chainsi_arena_printf(arena, "%s/%s.fake.c", file->folder, chainlet->c_name);
        good = chainsi_build_save(build, &text, source);
        const char *object =
            chainsi_arena_printf(arena, "%s/%s.fake.o", file->folder, chainlet->c_name);
        chainsi_writer_open(manifest, "build %s: cc %s", chainsi_ninja_path(arena, object),
                            chainsi_ninja_path(arena, source));
        chainsi_writer_line(manifest, "words = $generated $internal%s",
                            chainsi_ninja_value(arena, build->units[chainlet->index].header_flags));
        manifest->depth--;
        chainsi_buffer_printf(&objects, " %s", chainsi_ninja_path(arena, object));
        chainsi_buffer_printf(&keep, " --keep-global-symbol=chains_%s_implementation",
                              chainlet->c_name);
    }
    if (file->is_test)
        chainsi_buffer_add_text(&keep, " --keep-global-symbol=main");
    chainsi_writer_open(manifest, "build %s: unit %s%.*s", chainsi_ninja_path(arena, file->linked),
                        chainsi_ninja_path(arena, file->object), (int)objects.size,
                        objects.data ? (const char *)objects.data : "");
    chainsi_writer_line(manifest, "chainlet = %s", chainsi_ninja_value(arena, file->path));
    chainsi_writer_line(manifest, "keep =%.*s", (int)keep.size,
                        keep.data ? (const char *)keep.data : "");
    manifest->depth--;
    chainsi_buffer_done(&objects);
    chainsi_buffer_done(&keep);
    return good;
}
