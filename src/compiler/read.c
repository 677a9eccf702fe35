/* Reading a chain: the order of the steps. Each reports what it finds and leaves the model whole
 * enough for the next. */
#include "compiler/reader.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The folder of chains.h: "include" beside the running program or above it, as in a build folder and
 * where it is installed. NULL if it isn't there. */
static const char *find_include_dir(chainsi_arena *arena)
{
    char path[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
    if (size <= 0)
        return NULL;
    path[size] = '\0';
    for (char *slash; (slash = strrchr(path, '/'));) {
        *slash = '\0';
        char *dir = chainsi_arena_printf(arena, "%s/include", path);
        if (!access(chainsi_arena_printf(arena, "%s/chains.h", dir), R_OK))
            return dir;
    }
    return NULL;
}

static void read_chainlets(chainsi_reader *reader)
{
    chainsi_chainlets_collect(reader);
    for (size_t i = 0; i < reader->reading_count; i++) {
        if (reader->readings[i].duplicate)
            continue;
        chainsi_config_read(reader, &reader->readings[i]);
        chainsi_method_read(reader, &reader->readings[i]);
    }
    chainsi_types_finish(reader);
    chainsi_limits_evaluate(reader);
    for (size_t i = 0; i < reader->reading_count; i++)
        if (!reader->readings[i].duplicate)
            reader->readings[i].chainlet->fingerprint =
                chainsi_fingerprint(reader->readings[i].chainlet);
}

static void read_all(chainsi_reader *reader)
{
    chainsi_model *model = reader->model;
    reader->headers = chainsi_find_headers(model->folder, reader->arena, reader->diagnostics);
    model->include_dirs = reader->headers.include_dirs;
    model->include_dir_count = reader->headers.include_dir_count;
    if (!reader->headers.count) {
        if (!chainsi_diagnostics_failed(reader->diagnostics))
            CHAINSI_ERROR(reader, (chainsi_position){ 0 },
                          "`chains init NAME` makes a folder with a first one",
                          "there is no Chainlet here: no header below %s includes chains.h",
                          model->folder);
        return;
    }
    reader->index = clang_createIndex(0, 0);
    if (chainsi_parse(reader)) {
        chainsi_mistakes_macros(reader);
        read_chainlets(reader);
        chainsi_order_chainlets(reader);
        chainsi_check_chain(reader);
        chainsi_parse_report(reader);
        chainsi_check_sources(reader);
    }
    if (reader->unit)
        clang_disposeTranslationUnit(reader->unit);
    clang_disposeIndex(reader->index);
}

chainsi_model *chainsi_model_read(const char *folder, const chainsi_model_options *options,
                                  chainsi_diagnostics *diagnostics)
{
    static const chainsi_model_options none;
    char real[PATH_MAX];
    const chainsi_position nowhere = { 0 };
    if (!realpath(folder, real)) {
        chainsi_diagnostics_add(diagnostics, CHAINSI_SEVERITY_ERROR, nowhere, NULL, "%s: %s",
                                folder, strerror(errno));
        return NULL;
    }
    chainsi_model *model = calloc(1, sizeof *model);
    if (!model)
        abort();
    chainsi_arena_init(&model->arena);
    model->folder = chainsi_arena_strdup(&model->arena, real);
    chainsi_reader reader = { .model = model,
                              .arena = &model->arena,
                              .diagnostics = diagnostics,
                              .options = options ? options : &none };
    const char *include_dir = reader.options->include_dir;
    char real_include[PATH_MAX];
    if (!include_dir)
        include_dir = find_include_dir(&model->arena);
    if (!include_dir || !realpath(include_dir, real_include)) {
        chainsi_diagnostics_add(diagnostics, CHAINSI_SEVERITY_ERROR, nowhere,
                                "install the program together with its 'include' folder",
                                "chains.h was not found beside this program");
        chainsi_model_free(model);
        return NULL;
    }
    reader.include_dir = real_include;
    if (!diagnostics->folder)
        diagnostics->folder = chainsi_arena_strdup(&diagnostics->arena, real);
    read_all(&reader);
    chainsi_diagnostics_sort(diagnostics);
    return model;
}

void chainsi_model_free(chainsi_model *model)
{
    if (!model)
        return;
    chainsi_arena_done(&model->arena);
    free(model);
}

const chainsi_model_chainlet *chainsi_model_find(const chainsi_model *model, const char *name)
{
    for (size_t i = 0; i < model->chainlet_count; i++)
        if (!strcmp(model->chainlets[i]->c_name, name))
            return model->chainlets[i];
    for (size_t i = 0; i < model->chainlet_count; i++)
        if (!strcmp(model->chainlets[i]->wire_name, name))
            return model->chainlets[i];
    return NULL;
}
