/* Reading tar. Every path is opened within the root (openat2 with RESOLVE_IN_ROOT), so that links made by one entry lead no
 * other out of it. */
#include "image/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "image/compression.h"

enum { BLOCK = 512, PIECE = 65536, MAX_EXTENDED = 1 << 20 };
#define MAX_KEPT (INT64_C(16) << 30) /* bytes of files of one layer */

typedef struct archive {
    chainsi_decompressor *file;
    const char *name;
    int root;
    int64_t kept;
    chainsi_problem *problem;
} tar_archive;

typedef struct member {
    char path[PATH_MAX], target[PATH_MAX];
    int64_t size;
    char kind;
    unsigned mode;
    bool has_path, has_target, has_size; /* by an extended header before */
} tar_member;

static bool say_broken(const tar_archive *archive, const char *why)
{
    return chainsi_problem_set(archive->problem,
                               "pull the base anew; its layers have to be tar archives, plain "
                               "or compressed by gzip or zstd",
                               "the layer '%s' of the base is no tar archive that can be read: %s",
                               archive->name, why);
}

static bool read_whole(tar_archive *archive, void *out, size_t size)
{
    const int64_t got = chainsi_decompressor_read(archive->file, out, size);
    return got == (int64_t)size ||
           say_broken(archive, got < 0 ? "it is damaged" : "it ends too early");
}

static bool skip(tar_archive *archive, int64_t size)
{
    uint8_t piece[PIECE];
    for (int64_t left = (size + BLOCK - 1) / BLOCK * BLOCK; left;) {
        size_t some = left < PIECE ? (size_t)left : PIECE;
        if (!read_whole(archive, piece, some))
            return false;
        left -= (int64_t)some;
    }
    return true;
}

/* Octal digits, or with the first bit set a big number of as many bytes. */
static bool read_number(const char *field, size_t size, int64_t *out)
{
    uint64_t value = 0;
    if ((unsigned char)*field & 0x80) {
        for (size_t i = 1; i < size; i++) {
            if (value >> 54)
                return false;
            value = value << 8 | (unsigned char)field[i];
        }
        *out = (int64_t)value;
        return true;
    }
    for (size_t i = 0; i < size && field[i]; i++) {
        if (field[i] == ' ')
            continue;
        if (field[i] < '0' || field[i] > '7' || value >> 59)
            return false;
        value = value << 3 | (uint64_t)(field[i] - '0');
    }
    *out = (int64_t)value;
    return true;
}

static bool take_text(tar_archive *archive, char *out, const char *text, size_t size)
{
    if (size >= PATH_MAX)
        return say_broken(archive, "a name is too long");
    memcpy(out, text, size);
    out[size] = 0;
    return true;
}

/* Records "LENGTH key=value\n". */
static bool read_records(tar_archive *archive, char *text, size_t size, tar_member *member)
{
    for (char *at = text, *end = text + size; at < end;) {
        char *rest;
        unsigned long length = strtoul(at, &rest, 10);
        if (rest == at || *rest != ' ' || length == 0 || length > (size_t)(end - at) ||
            at[length - 1] != '\n')
            return say_broken(archive, "an extended header is damaged");
        char *key = rest + 1, *value = memchr(key, '=', (size_t)(at + length - key));
        if (!value)
            return say_broken(archive, "an extended header is damaged");
        size_t key_size = (size_t)(value - key), value_size = (size_t)(at + length - 1 - value - 1);
        value++;
        if (key_size == 4 && !memcmp(key, "path", 4)) {
            member->has_path = true;
            if (!take_text(archive, member->path, value, value_size))
                return false;
        } else if (key_size == 8 && !memcmp(key, "linkpath", 8)) {
            member->has_target = true;
            if (!take_text(archive, member->target, value, value_size))
                return false;
        } else if (key_size == 4 && !memcmp(key, "size", 4)) {
            member->has_size = true;
            member->size = strtoll(value, NULL, 10);
        }
        at += length;
    }
    return true;
}

static bool read_extended(tar_archive *archive, char kind, int64_t size, tar_member *member)
{
    if (size < 0 || size > MAX_EXTENDED)
        return say_broken(archive, "an extended header is too long");
    size_t room = (size_t)(size + BLOCK - 1) / BLOCK * BLOCK;
    char *text = malloc(room + 1);
    if (!text)
        abort();
    bool good = read_whole(archive, text, room);
    text[size] = 0;
    if (good && kind == 'x')
        good = read_records(archive, text, (size_t)size, member);
    else if (good && kind == 'L')
        good = member->has_path = take_text(archive, member->path, text, strlen(text));
    else if (good && kind == 'K')
        good = member->has_target = take_text(archive, member->target, text, strlen(text));
    free(text);
    return good;
}

/* The next member; *end: there is none. */
static bool next_member(tar_archive *archive, tar_member *member, bool *end)
{
    char block[BLOCK];
    member->has_path = member->has_target = member->has_size = false;
    for (;;) {
        int64_t size, mode;
        const int64_t got = chainsi_decompressor_read(archive->file, block, BLOCK);
        *end = got == 0 || (got == BLOCK && !*block);
        if (*end)
            return true;
        if (got < 0)
            return say_broken(archive, "it is damaged");
        if (got != BLOCK || !read_number(block + 124, 12, &size) ||
            !read_number(block + 100, 8, &mode))
            return say_broken(archive, "a header is damaged");
        member->kind = block[156];
        if (strchr("xLKg", member->kind) && member->kind) {
            if (!read_extended(archive, member->kind, size, member))
                return false;
            continue;
        }
        if (!member->has_path) {
            bool prefixed = !memcmp(block + 257, "ustar", 6) && block[345];
            snprintf(member->path, sizeof member->path, "%.*s%s%.100s", prefixed ? 155 : 0,
                     block + 345, prefixed ? "/" : "", block);
        }
        if (!member->has_target)
            snprintf(member->target, sizeof member->target, "%.100s", block + 157);
        if (!member->has_size)
            member->size = size;
        member->mode = (unsigned)mode;
        return member->size >= 0 || say_broken(archive, "a size is negative");
    }
}

/* --------------------------------------------------------------------------------------------
 * into the folder */

static int open_inside(const tar_archive *archive, const char *path, int flags, unsigned mode)
{
    struct open_how how = { .flags = (unsigned)(flags | O_CLOEXEC),
                            .mode = flags & O_CREAT ? mode : 0,

                            .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
    return (int)syscall(SYS_openat2, archive->root, path, &how, sizeof how);
}

/* Opens the folder that path is in, made where it is missing; *name is the last part. */
static int open_parent(const tar_archive *archive, char *path, char **name)
{
    char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    if (!slash)
        return open_inside(archive, ".", O_PATH | O_DIRECTORY, 0);
    *slash = 0;
    int parent = open_inside(archive, path, O_PATH | O_DIRECTORY, 0);
    if (parent < 0 && errno == ENOENT) {
        char *last, *copy = strdup(path);
        int above = copy ? open_parent(archive, copy, &last) : -1;
        if (above >= 0 && (mkdirat(above, last, 0755) == 0 || errno == EEXIST))
            parent = open_inside(archive, path, O_PATH | O_DIRECTORY, 0);
        if (above >= 0)
            close(above);
        free(copy);
    }
    *slash = '/';
    return parent;
}

static bool is_wanted(const tar_member *member, const char *name)
{
    return strstr(name, ".so") || strstr(member->path, "var/lib/dpkg/") ||
           strstr(member->path, "etc/ld.so.conf");
}

static bool keep_file(tar_archive *archive, int parent, const char *name, int64_t size)
{
    uint8_t piece[PIECE];
    unlinkat(parent, name, 0);
    int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    bool good = fd >= 0;
    archive->kept += size;
    if (archive->kept > MAX_KEPT)
        good = false, errno = EFBIG;
    if (!good)
        chainsi_problem_file(archive->problem, "write a file of the base:", name);
    for (int64_t left = size; good && left;) {
        size_t some = left < PIECE ? (size_t)left : PIECE;
        good = read_whole(archive, piece, some);
        if (good && write(fd, piece, some) != (ssize_t)some)
            good = chainsi_problem_file(archive->problem, "write a file of the base:", name);
        left -= (int64_t)some;
    }
    if (fd >= 0)
        close(fd);
    int64_t padding = (BLOCK - size % BLOCK) % BLOCK;
    return good && (!padding || read_whole(archive, piece, (size_t)padding));
}

static void remove_tree(int parent, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", parent);
    if (unlinkat(parent, name, 0) == 0 || errno != EISDIR)
        return;
    /* A folder of an earlier layer: its files aren't there any more, which only libraries and links matter of. */
    char gone[PATH_MAX];
    snprintf(gone, sizeof gone, ".gone-%ld-%.200s", (long)getpid(), name);
    renameat(parent, name, parent, gone);
}

static bool keep(tar_archive *archive, tar_member *member, bool *read_it)
{
    size_t size = strlen(member->path);
    while (size && member->path[size - 1] == '/')
        member->path[--size] = 0;
    char *name;
    int parent = open_parent(archive, member->path, &name);
    if (parent < 0 || !*name || !strcmp(name, ".") || !strcmp(name, "..")) {
        if (parent >= 0)
            close(parent);
        return true;
    }
    bool good = true;
    bool file = member->kind == '0' || !member->kind;
    if (!strncmp(name, ".wh.", 4)) {
        if (strcmp(name, ".wh..wh..opq") != 0)
            remove_tree(parent, name + 4);
    } else if (member->kind == '5') {
        mkdirat(parent, name, 0755);
    } else if (member->kind == '2') {
        remove_tree(parent, name);
        good = symlinkat(member->target, parent, name) == 0 || errno == EEXIST;
        good = good || chainsi_problem_file(archive->problem, "make a link of the base:", name);
    } else if (member->kind == '1' && is_wanted(member, name)) {
        int from = open_inside(archive, member->target, O_PATH, 0);
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", from);
        unlinkat(parent, name, 0);
        if (from >= 0) {
            (void)!linkat(AT_FDCWD, path, parent, name, AT_SYMLINK_FOLLOW);
            close(from);
        }
    } else if (file && is_wanted(member, name)) {
        *read_it = true;
        good = keep_file(archive, parent, name, member->size);
    }
    close(parent);
    return good;
}

bool chainsi_unpack_layer(const char *layer, const char *root, chainsi_problem *problem)
{
    tar_archive archive = { .name = layer, .root = -1, .problem = problem };
    archive.root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    archive.file = chainsi_decompressor_open(layer);
    bool good = archive.root >= 0 && archive.file;
    if (!good)
        chainsi_problem_file(problem, "unpack", layer);
    tar_member *member = calloc(1, sizeof *member);
    if (!member)
        abort();
    for (bool end = false; good && !end;) {
        bool read_it = false;
        good = next_member(&archive, member, &end);
        if (!good || end)
            break;
        good = keep(&archive, member, &read_it);
        bool has_contents = member->kind == '0' || !member->kind || member->kind == '7';
        if (good && !read_it && has_contents)
            good = skip(&archive, member->size);
    }
    free(member);
    chainsi_decompressor_close(archive.file);
    if (archive.root >= 0)
        close(archive.root);
    return good;
}
