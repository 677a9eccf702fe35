/* compile_commands.json beside the chain, so that clangd knows every file of the author's. */
#include "compiler/build_state.h"
#include "schema/json.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static const char *json_text(chainsi_arena *arena, const char *text)
{
    chainsi_buffer out = { 0 };
    chainsi_json_write_string(&out, text, strlen(text));
    const char *copy = chainsi_arena_copy(arena, out.data, out.size);
    chainsi_buffer_done(&out);
    return copy;
}

static void write_entry(chainsi_build *build, chainsi_writer *writer, const char *compiler,
                        const char *words, const char *file, bool *first)
{
    if (!*first)
        chainsi_writer_close(writer, "},");
    *first = false;
    const char *command = chainsi_arena_printf(&build->arena, "%s %s -c %s", compiler, words,
                                               chainsi_shell_quote(&build->arena, file));
    chainsi_writer_open(writer, "{");
    chainsi_writer_line(writer, "\"directory\": %s,",
                        json_text(&build->arena, build->model->folder));
    chainsi_writer_line(writer, "\"file\": %s,", json_text(&build->arena, file));
    chainsi_writer_line(writer, "\"command\": %s", json_text(&build->arena, command));
}

static int is_c_file(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);
    return entry->d_name[0] != '.' && size > 2 && !strcmp(entry->d_name + size - 2, ".c");
}

bool chainsi_build_write_commands(chainsi_build *build)
{
    chainsi_writer writer = { 0 };
    bool first = true;
    chainsi_writer_line(&writer, "[");
    for (size_t i = 0; i < build->model->chainlet_count; i++) {
        const chainsi_unit *unit = &build->units[i];
        for (size_t j = 0; j < unit->source_count; j++) {
            const chainsi_source *source = &unit->sources[j];
            const char *compiler = source->language == CHAINSI_LANGUAGE_C ? build->toolchain.cc
                                   : source->language == CHAINSI_LANGUAGE_CUDA
                                       ? (build->toolchain.nvcc ? build->toolchain.nvcc : "nvcc")
                                       : build->toolchain.cxx;
            write_entry(build, &writer, compiler, chainsi_build_compile_words(build, unit, source),
                        source->path, &first);
        }
    }
    struct dirent **tests = NULL;
    int count = scandir(chainsi_build_path(build, "tests"), &tests, is_c_file, alphasort);
    for (int i = 0; i < count; i++) {
        const chainsi_fake_file test = {
            .path = chainsi_arena_printf(&build->arena, "tests/%s", tests[i]->d_name),
        };
        write_entry(build, &writer, build->toolchain.cc, chainsi_build_test_words(build, &test),
                    test.path, &first);
        free(tests[i]);
    }
    free(tests);
    if (!first)
        chainsi_writer_close(&writer, "}");
    chainsi_writer_line(&writer, "]");
    return chainsi_build_save(build, &writer, "compile_commands.json");
}
