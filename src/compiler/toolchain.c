/* Finds compilers and libraries. Nothing is remembered between processes: what costs time is only
 * asked for where a chain needs it. */
#include "compiler/toolchain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const char *chainsi_shell_quote(chainsi_arena *arena, const char *text)
{
    static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                   "-_./+=:,@%";
    if (*text && text[strspn(text, harmless)] == '\0')
        return chainsi_arena_strdup(arena, text);
    chainsi_buffer out = { 0 };
    chainsi_buffer_add_byte(&out, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            chainsi_buffer_add_text(&out, "'\\''");
        else
            chainsi_buffer_add_byte(&out, (uint8_t)*text);
    }
    chainsi_buffer_add_byte(&out, '\'');
    const char *quoted = chainsi_arena_copy(arena, out.data, out.size);
    chainsi_buffer_done(&out);
    return quoted;
}

size_t chainsi_shell_split(chainsi_arena *arena, const char *text, const char *const **words)
{
    size_t most = strlen(text) / 2 + 1, count = 0;
    const char **list = chainsi_arena_array(arena, most, sizeof *list);
    chainsi_buffer word = { 0 };
    while (*text) {
        text += strspn(text, " \t\r\n");
        if (!*text)
            break;
        word.size = 0;
        char quote = '\0';
        for (; *text && (quote || !strchr(" \t\r\n", *text)); text++) {
            if (*text == '\\' && text[1] && quote != '\'')
                chainsi_buffer_add_byte(&word, (uint8_t) * ++text);
            else if (quote ? *text == quote : (*text == '\'' || *text == '"'))
                quote = quote ? '\0' : *text;
            else
                chainsi_buffer_add_byte(&word, (uint8_t)*text);
        }
        list[count++] = chainsi_arena_copy(arena, word.data ? word.data : (uint8_t *)"", word.size);
    }
    chainsi_buffer_done(&word);
    *words = list;
    return count;
}

const char *chainsi_shell_output(chainsi_arena *arena, const char *command, int *status)
{
    const char *silent = chainsi_arena_printf(arena, "{ %s; } 2>/dev/null", command);
    chainsi_buffer out = { 0 };
    FILE *pipe = popen(silent, "re");
    int ended = -1;
    if (pipe) {
        size_t got;
        do {
            got = fread(chainsi_buffer_reserve(&out, 4096), 1, 4096, pipe);
            out.size += got;
        } while (got);
        ended = pclose(pipe);
    }
    if (status)
        *status = ended >= 0 && WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
    const char *text = chainsi_arena_copy(arena, out.data ? out.data : (uint8_t *)"", out.size);
    chainsi_buffer_done(&out);
    return text;
}

static const char *tool(const char *variable, const char *otherwise)
{
    const char *given = getenv(variable);
    return given && *given ? given : otherwise;
}

static bool is_clang(chainsi_arena *arena, const char *compiler)
{
    const char *command = chainsi_arena_printf(arena, "%s --version", compiler);
    return strstr(chainsi_shell_output(arena, command, NULL), "clang") != NULL;
}

static bool is_in_path(const char *program)
{
    const char *path = getenv("PATH");
    for (; path && *path; path += strspn(path, ":")) {
        size_t size = strcspn(path, ":");
        char file[4096];
        snprintf(file, sizeof file, "%.*s/%s", (int)size, path, program);
        if (!access(file, X_OK))
            return true;
        path += size;
    }
    return false;
}

/* Whether a shell would find the program. */
static bool is_program(const char *program)
{
    return strchr(program, '/') ? !access(program, X_OK) : is_in_path(program);
}

static const char *find_nvcc(void)
{
    const char *given = getenv("NVCC");
    if (given && *given)
        return is_program(given) ? given : NULL;
    if (is_in_path("nvcc"))
        return "nvcc";
    static const char usual[] = "/usr/local/cuda/bin/nvcc";
    return is_program(usual) ? usual : NULL;
}

/* Reads the `libraries: =a:b:c` line of -print-search-dirs, which gcc and clang both have. */
static void find_library_dirs(chainsi_toolchain *toolchain, chainsi_arena *arena)
{
    const char *command = chainsi_arena_printf(arena, "%s -print-search-dirs", toolchain->cc);
    const char *text = strstr(chainsi_shell_output(arena, command, NULL), "libraries: =");
    static const char *const usual[] = { "/usr/local/lib", "/usr/lib", "/lib" };
    toolchain->library_dirs = usual;
    toolchain->library_dir_count = sizeof usual / sizeof *usual;
    if (!text)
        return;
    text += strlen("libraries: =");
    size_t size = strcspn(text, "\n");
    const char **dirs = chainsi_arena_array(arena, size / 2 + 4, sizeof *dirs);
    size_t count = 0;
    for (size_t at = 0; at < size;) {
        size_t length = strcspn(text + at, ":\n");
        if (length)
            dirs[count++] = chainsi_arena_copy(arena, text + at, length);
        at += length + 1;
    }
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        dirs[count++] = usual[i];
    toolchain->library_dirs = dirs;
    toolchain->library_dir_count = count;
}

void chainsi_toolchain_find(chainsi_toolchain *toolchain, chainsi_arena *arena)
{
    *toolchain = (chainsi_toolchain){
        .cc = tool("CC", "cc"),
        .cxx = tool("CXX", "c++"),
        .nvcc = find_nvcc(),
        .objcopy = tool("OBJCOPY", "objcopy"),
        .nm = tool("NM", "nm"),
        .ninja = tool("NINJA", "ninja"),
    };
    toolchain->cc_is_clang = is_clang(arena, toolchain->cc);
    toolchain->cxx_is_clang = is_clang(arena, toolchain->cxx);
    find_library_dirs(toolchain, arena);
}

const char *chainsi_toolchain_cuda_libraries(const chainsi_toolchain *toolchain,
                                             chainsi_arena *arena)
{
    const char *command =
        chainsi_arena_printf(arena, "%s --dryrun -x cu /dev/null 2>&1", toolchain->nvcc);
    static const char label[] = "#$ LIBRARIES=";
    const char *text = strstr(chainsi_shell_output(arena, command, NULL), label);
    if (!text)
        return "";
    text += strlen(label);
    return chainsi_arena_copy(arena, text, strcspn(text, "\n"));
}

chainsi_packages chainsi_toolchain_packages(const char *const *names, size_t limit,
                                            chainsi_arena *arena)
{
    chainsi_packages packages = { "", "", NULL };
    chainsi_buffer list = { 0 };
    for (size_t i = 0; i < limit && names[i]; i++)
        chainsi_buffer_printf(&list, " %s", chainsi_shell_quote(arena, names[i]));
    if (!list.size)
        return packages;
    const char *all = chainsi_arena_copy(arena, list.data, list.size);
    chainsi_buffer_done(&list);
    const char *program = tool("PKG_CONFIG", "pkg-config");
    int status;
    const char *cflags = chainsi_shell_output(
        arena, chainsi_arena_printf(arena, "%s --cflags%s", program, all), &status);
    if (!status) {
        packages.cflags = cflags;
        packages.libs = chainsi_shell_output(
            arena, chainsi_arena_printf(arena, "%s --libs%s", program, all), &status);
    }
    if (!status)
        return packages;
    packages.cflags = packages.libs = "";
    packages.missing = names[0];
    for (size_t i = 0; i < limit && names[i]; i++) {
        const char *one = chainsi_shell_quote(arena, names[i]);
        chainsi_shell_output(arena, chainsi_arena_printf(arena, "%s --libs %s", program, one),
                             &status);
        if (status) {
            packages.missing = names[i];
            break;
        }
    }
    return packages;
}

/* ------------------------------------------------------------------------------------------------
 * libraries */

static bool is_file(const char *folder, const char *dir, const char *name)
{
    char path[4096];
    bool absolute = dir[0] == '/';
    int size = snprintf(path, sizeof path, "%s%s%s/%s", absolute ? "" : folder, absolute ? "" : "/",
                        dir, name);
    return size > 0 && (size_t)size < sizeof path && !access(path, R_OK);
}

/* The folders of the -L words so far are in `others`: they are looked through first. */
static const char *find_archive(const chainsi_libraries *libraries,
                                const chainsi_toolchain *toolchain, const char *folder,
                                const char *name, chainsi_arena *arena)
{
    bool exact = name[0] == ':'; /* -l:libfoo.a */
    const char *archive = exact ? name + 1 : chainsi_arena_printf(arena, "lib%s.a", name);
    const char *shared = exact ? NULL : chainsi_arena_printf(arena, "lib%s.so", name);
    if (exact && (strlen(archive) < 3 || strcmp(archive + strlen(archive) - 2, ".a")))
        return NULL;
    const char *given =
        chainsi_arena_copy(arena, libraries->others.data ? libraries->others.data : (uint8_t *)"",
                           libraries->others.size);
    const char *const *words;
    size_t count = chainsi_shell_split(arena, given, &words);
    for (size_t i = 0; i < count + toolchain->library_dir_count; i++) {
        const char *dir;
        if (i >= count)
            dir = toolchain->library_dirs[i - count];
        else if (!strncmp(words[i], "-L", 2) && words[i][2])
            dir = words[i] + 2;
        else
            continue;
        if (shared && !libraries->prefers_archives && is_file(folder, dir, shared))
            return NULL;
        if (is_file(folder, dir, archive))
            return chainsi_arena_printf(arena, "%s/%s", dir, archive);
    }
    return NULL;
}

void chainsi_libraries_add(chainsi_libraries *libraries, const chainsi_toolchain *toolchain,
                           const char *folder, const char *word)
{
    /* Parts of the C library: archives of it are empty, or must not be there twice. */
    static const char *const system[] = { "c", "m", "dl", "rt", "pthread", "util", "gcc", NULL };
    chainsi_arena arena = { 0 };
    const char *archive = NULL;
    size_t size = strlen(word);
    if (!strcmp(word, "-Wl,-Bstatic") || !strcmp(word, "-Wl,-Bdynamic")) {
        libraries->prefers_archives = word[6] == 's';
        return;
    }
    if (!strcmp(word, "-Wl,--whole-archive") || !strcmp(word, "-Wl,--no-whole-archive")) {
        archive = word;
    } else if (!strncmp(word, "-l", 2)) {
        bool own = false;
        for (size_t i = 0; system[i]; i++)
            own = own || !strcmp(word + 2, system[i]);
        if (!own)
            archive = find_archive(libraries, toolchain, folder, word + 2, &arena);
    } else if (word[0] != '-' && size > 2 && !strcmp(word + size - 2, ".a")) {
        archive = word;
    }
    chainsi_buffer *side = archive ? &libraries->archives : &libraries->others;
    chainsi_buffer_printf(side, " %s", chainsi_shell_quote(&arena, archive ? archive : word));
    chainsi_arena_done(&arena);
}

void chainsi_libraries_done(chainsi_libraries *libraries)
{
    chainsi_buffer_done(&libraries->archives);
    chainsi_buffer_done(&libraries->others);
}
