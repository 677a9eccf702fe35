/* `chains init`: writes a small chain to begin with. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "cli/hello_files.h"
#include "cli/options.h"

static int run(int argc, char **argv);

const chainsi_verb chainsi_verb_init = {
    .name = "init",
    .usage = "FOLDER",
    .summary = "Write a small chain to begin with.",
    .help =
        "Makes FOLDER and writes a chain of two Chainlets into it, with a test that fakes one of\n"
        "them. Files that are there already are never written over.\n"
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

static bool write_file(const char *path, const chainsi_hello_file *file)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return false;
    size_t at = 0;
    while (at < file->size) {
        ssize_t put = write(fd, file->data + at, file->size - at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            break;
        at += (size_t)put;
    }
    return !close(fd) && at == file->size;
}

static int write_chain(const char *folder)
{
    chainsi_arena arena = { 0 };
    size_t folder_size = strlen(folder);
    const char *failed = NULL;
    /* Nothing is written if anything is in the way. */
    for (const chainsi_hello_file *file = chainsi_hello_files; file->path && !failed; file++) {
        const char *path = chainsi_arena_printf(&arena, "%s/%s", folder, file->path);
        if (!access(path, F_OK)) {
            errno = EEXIST;
            failed = path;
        }
    }
    for (const chainsi_hello_file *file = chainsi_hello_files; file->path && !failed; file++) {
        const char *path = chainsi_arena_printf(&arena, "%s/%s", folder, file->path);
        if (!make_folders(&arena, path, folder_size) || !write_file(path, file))
            failed = path;
    }
    if (failed)
        fprintf(stderr, "chains init: can't write '%s': %s\n", failed, strerror(errno));
    else
        printf("%s is a chain of two Chainlets. Next:\n"
               "  cd %s\n"
               "  chains run --input '{\"words\": [\"moon\", \"sun\"]}'\n"
               "  chains test\n",
               folder, folder);
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
