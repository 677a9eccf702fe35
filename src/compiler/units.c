/* How each Chainlet is compiled: its sources, its flags, its libraries. What stands in the way of
 * compiling one is kept, and reported only when a program needs it. */
#include "compiler/build_state.h"

#include <string.h>
#include <unistd.h>

#define WORDS(list) (sizeof(list) / sizeof *(list))

static chainsi_language language_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    if (!dot)
        return CHAINSI_LANGUAGE_NONE;
    if (!strcmp(dot, ".c"))
        return CHAINSI_LANGUAGE_C;
    if (!strcmp(dot, ".cu"))
        return CHAINSI_LANGUAGE_CUDA;
    static const char *const cxx[] = { ".cc", ".cpp", ".cxx", ".C" };
    for (size_t i = 0; i < WORDS(cxx); i++)
        if (!strcmp(dot, cxx[i]))
            return CHAINSI_LANGUAGE_CXX;
    return CHAINSI_LANGUAGE_NONE;
}

/* A path below the folder of objects: nothing in it leads out of that. */
static const char *inner_path(chainsi_arena *arena, const char *path)
{
    char *inner = chainsi_arena_strdup(arena, path + strspn(path, "/"));
    for (char *at = inner; (at = strstr(at, "..")); at += 2)
        at[0] = at[1] = '_';
    return inner;
}

/* path relative to the folder of the Chainlet's header, as one relative to the chain's. */
static const char *beside_header(chainsi_build *build, const chainsi_model_chainlet *chainlet,
                                 const char *path)
{
    const char *slash = strrchr(chainlet->header, '/');
    if (!slash || path[0] == '/')
        return path;
    return chainsi_arena_printf(&build->arena, "%.*s/%s", (int)(slash - chainlet->header),
                                chainlet->header, path);
}

static void add_source(chainsi_build *build, chainsi_unit *unit, const char *path)
{
    for (size_t i = 0; i < unit->source_count; i++)
        if (!strcmp(unit->sources[i].path, path))
            return;
    chainsi_source *source = &unit->sources[unit->source_count++];
    source->path = path;
    source->language = language_of(path);
    source->object = chainsi_arena_printf(&build->arena, "%s/obj/%s/%s.o", build->out,
                                          unit->chainlet->c_name, inner_path(&build->arena, path));
}

static void find_sources(chainsi_build *build, chainsi_unit *unit)
{
    const chainsi_model_chainlet *chainlet = unit->chainlet;
    size_t most = WORDS(chainlet->config.sources) + 1;
    unit->sources = chainsi_arena_array(&build->arena, most, sizeof *unit->sources);
    if (!chainlet->source) {
        unit->obstacle =
            chainsi_arena_printf(&build->arena, "'%s' has no source", chainlet->c_name);
        unit->obstacle_hint = chainsi_arena_printf(
            &build->arena, "write '%s' beside its header, or a fake that defines '%s_run_remote'",
            beside_header(build, chainlet,
                          chainsi_arena_printf(&build->arena, "%s.c", chainlet->c_name)),
            chainlet->c_name);
        return;
    }
    add_source(build, unit, chainlet->source);
    for (size_t i = 0; i < WORDS(chainlet->config.sources) && chainlet->config.sources[i]; i++)
        add_source(build, unit, beside_header(build, chainlet, chainlet->config.sources[i]));
    for (size_t i = 0; i < unit->source_count; i++) {
        const chainsi_source *source = &unit->sources[i];
        if (access(chainsi_build_path(build, source->path), R_OK)) {
            unit->obstacle =
                chainsi_arena_printf(&build->arena, "'%s' of %s's .sources is not there",
                                     source->path, chainlet->c_name);
            unit->obstacle_hint = "paths in .sources are relative to the header's folder";
        } else if (source->language == CHAINSI_LANGUAGE_NONE) {
            unit->obstacle = chainsi_arena_printf(
                &build->arena, "'%s' is neither C, C++ nor CUDA by its name", source->path);
            unit->obstacle_hint = "sources end in .c, .cc, .cpp or .cu";
        } else if (source->language == CHAINSI_LANGUAGE_CUDA && !build->toolchain.nvcc) {
            unit->obstacle = chainsi_arena_printf(
                &build->arena, "'%s' needs nvcc, which is not on this machine", source->path);
            unit->obstacle_hint = "install the CUDA toolkit, or set NVCC to nvcc's path; a fake of "
                                  "the Chainlet needs neither";
        }
        unit->uses_cxx = unit->uses_cxx || source->language != CHAINSI_LANGUAGE_C;
    }
}

static void find_cohabitants(chainsi_build *build, chainsi_unit *unit)
{
    const chainsi_model *model = build->model;
    unit->cohabitants =
        chainsi_arena_array(&build->arena, model->chainlet_count, sizeof *unit->cohabitants);
    for (size_t i = 0; i < model->chainlet_count; i++) {
        const chainsi_model_chainlet *other = model->chainlets[i];
        if (other == unit->chainlet || !other->source)
            continue;
        for (size_t j = 0; j < unit->source_count; j++)
            if (!strcmp(unit->sources[j].path, other->source)) {
                unit->cohabitants[unit->cohabitant_count++] = other;
                break;
            }
    }
}

static const char *text_of(chainsi_arena *arena, const chainsi_buffer *buffer)
{
    return chainsi_arena_copy(arena, buffer->data ? buffer->data : (uint8_t *)"", buffer->size);
}

static bool concerns_headers(const char *word)
{
    return !strncmp(word, "-I", 2) || !strncmp(word, "-D", 2) || !strncmp(word, "-U", 2) ||
           !strncmp(word, "-isystem", 8) || !strncmp(word, "-include", 8);
}

static const char *apt_hint(chainsi_build *build, const chainsi_model_chainlet *chainlet,
                            const char *package)
{
    chainsi_buffer names = { 0 };
    for (size_t i = 0; i < WORDS(chainlet->config.image.apt) && chainlet->config.image.apt[i]; i++)
        chainsi_buffer_printf(&names, " %s", chainlet->config.image.apt[i]);
    const char *hint =
        names.size ? chainsi_arena_printf(&build->arena,
                                          "install the packages of .image.apt:%.*s, with the "
                                          "headers that belong to them; a fake needs none",
                                          (int)names.size, (const char *)names.data)
                   : chainsi_arena_printf(&build->arena,
                                          "install what provides %s.pc, and name its package in "
                                          ".image.apt; a fake needs none",
                                          package);
    chainsi_buffer_done(&names);
    return hint;
}

static void find_flags(chainsi_build *build, chainsi_unit *unit)
{
    chainsi_arena *arena = &build->arena;
    const chainsi_model_chainlet *chainlet = unit->chainlet;
    const chains_config *config = &chainlet->config;
    chainsi_buffer cflags = { 0 }, cuda = { 0 }, headers = { 0 };
    for (size_t i = 0; i < WORDS(config->cflags) && config->cflags[i]; i++) {
        const char *word = chainsi_shell_quote(arena, config->cflags[i]);
        bool lto = !strncmp(config->cflags[i], "-flto", 5);
        unit->uses_lto = unit->uses_lto || lto;
        chainsi_buffer_printf(&cuda, " %s", word);
        if (concerns_headers(config->cflags[i]))
            chainsi_buffer_printf(&headers, " %s", word);
        /* Each Chainlet becomes machine code before programs are linked; clang's bitcode would not
         * pass through the linker that does it. */
        if (!lto || !build->toolchain.cc_is_clang)
            chainsi_buffer_printf(&cflags, " %s", word);
    }
    if (unit->uses_lto && !build->toolchain.cc_is_clang)
        chainsi_buffer_add_text(&cflags, " -ffat-lto-objects"); /* their symbols are looked at */
    chainsi_packages packages = chainsi_toolchain_packages(config->image.pkg_config,
                                                           WORDS(config->image.pkg_config), arena);
    if (packages.missing && !unit->obstacle) {
        unit->obstacle =
            chainsi_arena_printf(arena,
                                 "'%s' needs the library '%s' (.image.pkg_config), which is "
                                 "not on this machine",
                                 chainlet->c_name, packages.missing);
        unit->obstacle_hint = apt_hint(build, chainlet, packages.missing);
    }
    const char *const *words;
    size_t count = chainsi_shell_split(arena, packages.cflags, &words);
    for (size_t i = 0; i < count; i++) {
        const char *word = chainsi_shell_quote(arena, words[i]);
        bool known = concerns_headers(words[i]);
        chainsi_buffer_printf(&cflags, " %s", word);
        chainsi_buffer_printf(&cuda, known ? " %s" : " -Xcompiler %s", word);
        if (known)
            chainsi_buffer_printf(&headers, " %s", word);
    }
    unit->cflags = text_of(arena, &cflags);
    unit->cuda_flags = text_of(arena, &cuda);
    /* Callers include the header, too, and with it what it includes. Callees come first. */
    for (size_t i = 0; i < chainlet->dependency_count; i++)
        chainsi_buffer_add_text(
            &headers, build->units[chainlet->dependencies[i].chainlet->index].header_flags);
    unit->header_flags = text_of(arena, &headers);
    chainsi_buffer_done(&cflags);
    chainsi_buffer_done(&cuda);
    chainsi_buffer_done(&headers);

    chainsi_libraries libraries = { 0 };
    for (size_t i = 0; i < WORDS(config->libs) && config->libs[i]; i++)
        chainsi_libraries_add(&libraries, &build->toolchain, build->model->folder, config->libs[i]);
    count = chainsi_shell_split(arena, packages.libs, &words);
    for (size_t i = 0; i < count; i++)
        chainsi_libraries_add(&libraries, &build->toolchain, build->model->folder, words[i]);
    for (size_t i = 0; i < unit->source_count; i++)
        if (unit->sources[i].language == CHAINSI_LANGUAGE_CUDA && build->toolchain.nvcc) {
            const char *text =
                chainsi_arena_printf(arena, "%s -lcudart_static -ldl -lrt",
                                     chainsi_toolchain_cuda_libraries(&build->toolchain, arena));
            count = chainsi_shell_split(arena, text, &words);
            for (size_t j = 0; j < count; j++)
                chainsi_libraries_add(&libraries, &build->toolchain, build->model->folder,
                                      words[j]);
            break;
        }
    unit->archives = text_of(arena, &libraries.archives);
    count = chainsi_shell_split(arena, unit->archives, &words);
    const char **paths = chainsi_arena_array(arena, count + 1, sizeof *paths);
    for (size_t i = 0; i < count; i++)
        if (words[i][0] != '-')
            paths[unit->archive_count++] = words[i];
    unit->archive_paths = paths;
    unit->libs = text_of(arena, &libraries.others);
    chainsi_libraries_done(&libraries);
}

bool chainsi_build_find_units(chainsi_build *build)
{
    const chainsi_model *model = build->model;
    build->units = chainsi_arena_array(&build->arena, model->chainlet_count, sizeof *build->units);
    for (size_t i = 0; i < model->chainlet_count; i++) {
        chainsi_unit *unit = &build->units[i];
        unit->chainlet = model->chainlets[i];
        unit->object = chainsi_build_part(build, unit->chainlet, "unit");
        unit->cflags = unit->cuda_flags = unit->header_flags = unit->archives = unit->libs = "";
        if (unit->chainlet->external)
            continue;
        find_sources(build, unit);
        find_cohabitants(build, unit);
        find_flags(build, unit);
    }
    return true;
}

/* Words of every compilation, by language. C has the errors that newer compilers make of what is no C:
 * a call of an undeclared function would else fail when the program is linked, or when it runs. */
static void add_common(chainsi_build *build, chainsi_buffer *words, chainsi_language language,
                       bool own_stubs)
{
    const char *position = own_stubs ? "-fPIC -fsemantic-interposition" : "-fPIE";
    const char *sanitize =
        build->options->sanitize ? " -fsanitize=address,undefined -fno-omit-frame-pointer" : "";
    switch (language) {
    case CHAINSI_LANGUAGE_C:
        chainsi_buffer_printf(words,
                              "-std=gnu11 -O2 -g -Wall -Wno-missing-braces %s "
                              "-Werror=implicit-function-declaration -Werror=int-conversion "
                              "-Werror=incompatible-pointer-types -ffunction-sections "
                              "-fdata-sections%s",
                              position, sanitize);
        break;
    case CHAINSI_LANGUAGE_CXX:
        chainsi_buffer_printf(words,
                              "-std=gnu++17 -O2 -g -Wall %s%s -ffunction-sections "
                              "-fdata-sections%s",
                              position, build->toolchain.cxx_is_clang ? "" : " -fno-gnu-unique",
                              sanitize);
        break;
    case CHAINSI_LANGUAGE_CUDA:
    case CHAINSI_LANGUAGE_NONE:
        chainsi_buffer_printf(words, "-std=c++17 -O2 -g -Xcompiler %s%s",
                              own_stubs ? "-fPIC" : "-fPIE",
                              build->toolchain.cxx_is_clang ? "" : ",-fno-gnu-unique");
        break;
    }
    chainsi_buffer_add_text(words, build->include_dirs);
}

const char *chainsi_build_compile_words(chainsi_build *build, const chainsi_unit *unit,
                                        const chainsi_source *source)
{
    chainsi_buffer words = { 0 };
    add_common(build, &words, source->language, unit->cohabitant_count > 0);
    chainsi_buffer_add_text(&words, source->language == CHAINSI_LANGUAGE_CUDA ? unit->cuda_flags
                                                                              : unit->cflags);
    chainsi_buffer_add_text(&words, unit->header_flags);
    const char *text = text_of(&build->arena, &words);
    chainsi_buffer_done(&words);
    return text;
}

const char *chainsi_build_test_words(chainsi_build *build, const chainsi_fake_file *file)
{
    chainsi_buffer words = { 0 };
    add_common(build, &words, file->is_cxx ? CHAINSI_LANGUAGE_CXX : CHAINSI_LANGUAGE_C, false);
    for (size_t i = 0; i < build->model->chainlet_count; i++)
        chainsi_buffer_add_text(&words, build->units[i].header_flags);
    const char *text = text_of(&build->arena, &words);
    chainsi_buffer_done(&words);
    return text;
}
