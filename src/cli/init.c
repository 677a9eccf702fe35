/* `chains init`: writes a small chain to begin with. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "cli/hello_files.h"
#include "cli/options.h"
#include "compiler/names.h"

static int run(int argc, char **argv);

const chainsi_verb chainsi_verb_init = {
    .name = "init",
    .usage = "FOLDER",
    .summary = "Write a small chain to begin with.",
    .help =
        "Makes FOLDER and writes a chain of two Chainlets into it, with a test that fakes one of\n"
        "them. The entrypoint is named after the folder. Files that are there already are never\n"
        "written over.\n"
        "\n"
        "Example:\n"
        "  chains init hello\n",
    .run = run,
};

/* Makes the folders that the path needs below its first `from` bytes. */
static bool make_folders(chainsi_arena *arena, const char *path, size_t from)
{
    char *folder = chainsi_arena_strdup(arena, path);
    for (char *at = folder + from; (at = strchr(at, '/')); at++) {
        *at = '\0';
        if (mkdir(folder, 0777) && errno != EEXIST)
            return false;
        *at = '/';
    }
    return true;
}

/* A copy of text with every "hello" replaced, in arena. */
static char *rename_hello(chainsi_arena *arena, const char *text, size_t size, const char *name,
                          size_t *renamed_size)
{
    static const char word[] = "hello";
    chainsi_buffer out = { 0 };
    const char *end = text + size;
    for (const char *at; (at = memmem(text, (size_t)(end - text), word, sizeof word - 1));) {
        chainsi_buffer_add(&out, text, (size_t)(at - text));
        chainsi_buffer_add_text(&out, name);
        text = at + sizeof word - 1;
    }
    chainsi_buffer_add(&out, text, (size_t)(end - text));
    char *renamed = chainsi_arena_copy(arena, out.data, out.size);
    *renamed_size = out.size;
    chainsi_buffer_done(&out);
    return renamed;
}

static bool write_file(const char *path, const char *text, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return false;
    size_t at = 0;
    while (at < size) {
        ssize_t put = write(fd, text + at, size - at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            break;
        at += (size_t)put;
    }
    return !close(fd) && at == size;
}

/* What the entrypoint of a chain in this folder is called: its last name, '-' and '.' as '_'. NULL, with the usage said, when that can't be. */
static const char *name_chain(chainsi_arena *arena, const char *folder)
{
    char *path = chainsi_arena_strdup(arena, folder);
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        path[--size] = 0;
    char *real = strcmp(path, ".") && strcmp(path, "..") ? NULL : realpath(path, NULL);
    if (real)
        path = chainsi_arena_strdup(arena, real);
    free(real);
    char *slash = strrchr(path, '/');
    char *name = slash ? slash + 1 : path;
    for (char *at = name; *at; at++)
        if (*at == '-' || *at == '.')
            *at = '_';
    size_t letters =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");
    const char *why = NULL;
    if (!*name || name[letters] || (*name >= '0' && *name <= '9'))
        why = "a name in C begins with a letter and has letters, digits and '_'";
    else if (chainsi_names_taken(name))
        why = chainsi_arena_printf(arena, "it is taken: %s", chainsi_names_taken(name));
    else if (!strncmp(name, "chains_", strlen("chains_")))
        why = "names that begin with 'chains_' are the library's";
    if (!why)
        return name;
    chainsi_usage_error(&chainsi_verb_init, "'%s' is no name for a Chainlet: %s", name, why);
    return NULL;
}

static int write_chain(const char *folder)
{
    chainsi_arena arena = { 0 };
    const char *name = name_chain(&arena, folder);
    if (!name) {
        chainsi_arena_done(&arena);
        return CHAINSI_EXIT_USAGE;
    }
    size_t folder_size = strlen(folder), size;
    const char *failed = NULL;
    /* Nothing is written if anything is in the way. */
    for (int writing = 0; writing < 2; writing++) {
        for (const chainsi_hello_file *file = chainsi_hello_files; file->path && !failed; file++) {
            const char *renamed = rename_hello(&arena, file->path, strlen(file->path), name, &size);
            const char *path = chainsi_arena_printf(&arena, "%s/%s", folder, renamed);
            if (!writing && !access(path, F_OK)) {
                errno = EEXIST;
                failed = path;
            }
            if (!writing)
                continue;
            const char *text =
                rename_hello(&arena, (const char *)file->data, file->size, name, &size);
            if (!make_folders(&arena, path, folder_size > 1 ? 1 : folder_size) ||
                !write_file(path, text, size))
                failed = path;
        }
    }
    if (failed)
        fprintf(stderr, "chains init: can't write '%s': %s\n", failed, strerror(errno));
    else
        printf("%s is a chain of two Chainlets. Next:\n"
               "  cd %s\n"
               "  chains run --input '{\"words\": [\"moon\", \"sun\"]}'\n"
               "  chains test\n",
               name, folder);
    chainsi_arena_done(&arena);
    return failed ? CHAINSI_EXIT_FAILED : CHAINSI_EXIT_OK;
}

static int run(int argc, char **argv)
{
    chainsi_words folders = { 0 };
    const chainsi_option options[] = { { NULL, CHAINSI_OPTION_END, NULL } };
    int status;
    if (chainsi_options_read(&chainsi_verb_init, options, argc, argv, 1, &folders, &status)) {
        if (folders.count && folders.items[0][0])
            status = write_chain(folders.items[0]);
        else
            status = chainsi_usage_error(&chainsi_verb_init, "a folder is needed");
    }
    chainsi_words_done(&folders);
    return status;
}
