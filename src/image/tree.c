/* Entries of a layer. They are sorted bytewise, with which a folder stands before what is in it. */
#include "image/tree.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void chainsi_tree_done(chainsi_tree *tree)
{
    free(tree->entries);
    chainsi_arena_done(&tree->arena);
    *tree = (chainsi_tree){ 0 };
}

static const char *one_form(chainsi_tree *tree, const char *path)
{
    char *out = chainsi_arena_alloc(&tree->arena, strlen(path) + 1);
    size_t size = 0;
    for (const char *at = path; *at;) {
        size_t part = strcspn(at, "/");
        if (part && !(part == 1 && *at == '.')) {
            if (size)
                out[size++] = '/';
            memcpy(out + size, at, part);
            size += part;
        }
        at += part + (at[part] == '/');
    }
    return out;
}

static chainsi_entry *add(chainsi_tree *tree, const char *path, chainsi_entry_kind kind,
                          unsigned mode)
{
    if (tree->count == tree->capacity) {
        tree->capacity = tree->capacity ? 2 * tree->capacity : 64;
        chainsi_entry *more = reallocarray(tree->entries, tree->capacity, sizeof *more);
        if (!more)
            abort();
        tree->entries = more;
    }
    chainsi_entry *entry = &tree->entries[tree->count++];
    *entry = (chainsi_entry){ .path = one_form(tree, path), .kind = kind, .mode = mode };
    return entry;
}

void chainsi_tree_folder(chainsi_tree *tree, const char *path, unsigned mode)
{
    add(tree, path, CHAINSI_ENTRY_FOLDER, mode);
}

void chainsi_tree_file(chainsi_tree *tree, const char *path, unsigned mode, const char *source)
{
    add(tree, path, CHAINSI_ENTRY_FILE, mode)->source = chainsi_arena_strdup(&tree->arena, source);
}

static void add_text(chainsi_tree *tree, const char *path, chainsi_entry_kind kind, unsigned mode,
                     const char *text)
{
    chainsi_entry *entry = add(tree, path, kind, mode);
    entry->text = chainsi_arena_strdup(&tree->arena, text);
    entry->text_size = strlen(text);
}

void chainsi_tree_text(chainsi_tree *tree, const char *path, unsigned mode, const char *text)
{
    add_text(tree, path, CHAINSI_ENTRY_FILE, mode, text);
}

void chainsi_tree_link(chainsi_tree *tree, const char *path, const char *target)
{
    add_text(tree, path, CHAINSI_ENTRY_LINK, 0777, target);
}

static bool copy_folder(chainsi_tree *tree, const char *path, const char *source,
                        chainsi_problem *problem)
{
    DIR *folder = opendir(source);
    if (!folder)
        return chainsi_problem_file(problem, "read the folder", source);
    bool good = true;
    for (struct dirent *each; good && (each = readdir(folder));)
        if (strcmp(each->d_name, ".") != 0 && strcmp(each->d_name, "..") != 0)
            good = chainsi_tree_copy(
                tree, chainsi_arena_printf(&tree->arena, "%s/%s", path, each->d_name),
                chainsi_arena_printf(&tree->arena, "%s/%s", source, each->d_name), problem);
    closedir(folder);
    return good;
}

bool chainsi_tree_copy(chainsi_tree *tree, const char *path, const char *source,
                       chainsi_problem *problem)
{
    struct stat about;
    if (lstat(source, &about) != 0)
        return chainsi_problem_file(problem, "read", source);
    if (S_ISDIR(about.st_mode)) {
        chainsi_tree_folder(tree, path, 0755);
        return copy_folder(tree, path, source, problem);
    }
    if (S_ISREG(about.st_mode)) {
        chainsi_tree_file(tree, path, about.st_mode & S_IXUSR ? 0755 : 0644, source);
    } else if (S_ISLNK(about.st_mode)) {
        char target[PATH_MAX];
        ssize_t size = readlink(source, target, sizeof target - 1);
        if (size < 0)
            return chainsi_problem_file(problem, "read the link", source);
        target[size] = 0;
        chainsi_tree_link(tree, path, target);
    }
    return true;
}

void chainsi_tree_drop(chainsi_tree *tree, const char *path)
{
    size_t kept = 0;
    for (size_t i = 0; i < tree->count; i++)
        if (strcmp(tree->entries[i].path, path) != 0)
            tree->entries[kept++] = tree->entries[i];
    tree->count = kept;
}

/* A sort that keeps the order of equals: the order in which they were added is the order of their memory. */
typedef struct placed {
    chainsi_entry entry;
    size_t place;
} placed;

static int compare(const void *left, const void *right)
{
    const placed *a = left, *b = right;
    int order = strcmp(a->entry.path, b->entry.path);
    return order ? order : a->place < b->place ? -1 : 1;
}

void chainsi_tree_seal(chainsi_tree *tree)
{
    for (size_t i = 0, count = tree->count; i < count; i++) {
        const char *path = tree->entries[i].path;
        for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/'))
            add(tree, chainsi_arena_copy(&tree->arena, path, (size_t)(slash - path)),
                CHAINSI_ENTRY_FOLDER, 0755);
    }
    placed *all = calloc(tree->count + 1, sizeof *all);
    if (!all)
        abort();
    for (size_t i = 0; i < tree->count; i++)
        all[i] = (placed){ tree->entries[i], i };
    qsort(all, tree->count, sizeof *all, compare);
    size_t kept = 0;
    for (size_t i = 0; i < tree->count; i++)
        if (*all[i].entry.path &&
            (!kept || strcmp(tree->entries[kept - 1].path, all[i].entry.path) != 0))
            tree->entries[kept++] = all[i].entry;
    tree->count = kept;
    free(all);
}
