/* Walks a chain's folder. Only text is looked at here: a header belongs to the chain if a chain of
 * #include lines leads from it to chains.h. */
#include "compiler/find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FOLDER_DEPTH = 32, MAX_HEADER_BYTES = 16 * 1024 * 1024 };

typedef struct folder_walk {
    chainsi_arena *arena;
    chainsi_diagnostics *diagnostics;
    const char *folder;
    chainsi_header *items;
    size_t count, capacity;
} folder_walk;

static bool ends_in(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size > end_size && !strcmp(text + size - end_size, end);
}

chainsi_language chainsi_find_language(const char *path)
{
    if (ends_in(path, ".c"))
        return CHAINSI_LANGUAGE_C;
    if (ends_in(path, ".cc") || ends_in(path, ".cpp"))
        return CHAINSI_LANGUAGE_CXX;
    return ends_in(path, ".cu") ? CHAINSI_LANGUAGE_CUDA : CHAINSI_LANGUAGE_NONE;
}

bool chainsi_find_is_source(const char *name)
{
    static const char *const headers[] = { ".h", ".hh", ".hpp", ".cuh", ".inc" };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (ends_in(name, headers[i]))
            return true;
    return chainsi_find_language(name) != CHAINSI_LANGUAGE_NONE;
}

char *chainsi_find_read(const char *path, chainsi_arena *arena, size_t *size)
{
    FILE *file = fopen(path, "re");
    struct stat status;
    char *text = NULL;
    if (file && !fstat(fileno(file), &status) && S_ISREG(status.st_mode) &&
        status.st_size <= MAX_HEADER_BYTES) {
        size_t capacity = (size_t)status.st_size;
        text = chainsi_arena_alloc(arena, capacity + 1);
        size_t read = fread(text, 1, capacity, file);
        text[read] = '\0';
        if (size)
            *size = read;
    }
    if (file)
        fclose(file);
    return text;
}

static void add_header(folder_walk *walk, const char *path)
{
    if (walk->count == walk->capacity) {
        size_t capacity = walk->capacity ? walk->capacity * 2 : 32;
        chainsi_header *items = chainsi_arena_array(walk->arena, capacity, sizeof *items);
        if (walk->count)
            memcpy(items, walk->items, walk->count * sizeof *items);
        walk->items = items;
        walk->capacity = capacity;
    }
    chainsi_header header = { .path = path };
    char *absolute = chainsi_arena_printf(walk->arena, "%s/%s", walk->folder, path);
    header.text = chainsi_find_read(absolute, walk->arena, &header.size);
    if (!header.text) {
        chainsi_diagnostics_add(
            walk->diagnostics, CHAINSI_SEVERITY_ERROR, (chainsi_position){ .file = path },
            "give yourself the permission to read it", "can't be read: %s", strerror(errno));
        return;
    }
    walk->items[walk->count++] = header;
}

bool chainsi_find_passes_over(const char *name)
{
    return name[0] == '.' || !strcmp(name, "tests") || !strcmp(name, "build") ||
           !strcmp(name, "node_modules");
}

static void look_into(folder_walk *walk, const char *relative, int depth)
{
    char *path = *relative ? chainsi_arena_printf(walk->arena, "%s/%s", walk->folder, relative)
                           : chainsi_arena_strdup(walk->arena, walk->folder);
    DIR *dir = opendir(path);
    if (!dir) {
        chainsi_diagnostics_add(walk->diagnostics, CHAINSI_SEVERITY_ERROR,
                                (chainsi_position){ .file = *relative ? relative : path }, NULL,
                                "the folder can't be read: %s", strerror(errno));
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        const char *name = entry->d_name;
        char *below = *relative ? chainsi_arena_printf(walk->arena, "%s/%s", relative, name)
                                : chainsi_arena_strdup(walk->arena, name);
        struct stat status;
        /* Folders that are links aren't followed, so that the walk ends. */
        if (fstatat(dirfd(dir), name, &status, AT_SYMLINK_NOFOLLOW))
            continue;
        if (S_ISDIR(status.st_mode)) {
            if (!chainsi_find_passes_over(name) && depth < MAX_FOLDER_DEPTH)
                look_into(walk, below, depth + 1);
        } else if (ends_in(name, ".h") && name[0] != '.') {
            if (S_ISREG(status.st_mode) ||
                (!fstatat(dirfd(dir), name, &status, 0) && S_ISREG(status.st_mode)))
                add_header(walk, below);
        }
    }
    closedir(dir);
}

static int compare_headers(const void *a, const void *b)
{
    return strcmp(((const chainsi_header *)a)->path, ((const chainsi_header *)b)->path);
}

/* The folder part of a relative path: "" for a file in the chain's folder, else without the '/'. */
static size_t folder_size(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

static bool is_named(const char *path, size_t prefix_size, const char *prefix, const char *name,
                     size_t name_size)
{
    char joined[PATH_MAX], clean[PATH_MAX];
    if (prefix_size + name_size + 2 > sizeof joined)
        return false;
    memcpy(joined, prefix, prefix_size);
    joined[prefix_size] = '/';
    memcpy(joined + prefix_size + 1, name, name_size);
    joined[prefix_size + 1 + name_size] = '\0';
    size_t size = 0; /* "a/./b" and "a/../b" are resolved as text */
    for (char *save = NULL, *part = strtok_r(joined, "/", &save); part;
         part = strtok_r(NULL, "/", &save)) {
        if (!strcmp(part, "."))
            continue;
        if (!strcmp(part, "..")) {
            if (!size)
                return false;
            while (size && clean[--size] != '/')
                ;
            continue;
        }
        if (size)
            clean[size++] = '/';
        memcpy(clean + size, part, strlen(part));
        size += strlen(part);
    }
    clean[size] = '\0';
    return !strcmp(path, clean);
}

/* Does header[from] include header[to]? By the rules of #include: beside it, or in any folder. */
static bool includes(const folder_walk *walk, size_t from, size_t to, const char *name,
                     size_t name_size)
{
    const char *from_path = walk->items[from].path, *to_path = walk->items[to].path;
    const char *from_slash = memrchr(name, '/', name_size);
    const char *from_name = from_slash ? from_slash + 1 : name;
    const char *to_slash = strrchr(to_path, '/');
    const char *to_name = to_slash ? to_slash + 1 : to_path;
    size_t last_size = (size_t)(name + name_size - from_name);
    if (strlen(to_name) != last_size || memcmp(to_name, from_name, last_size))
        return false; /* the common case, quickly */
    if (is_named(to_path, folder_size(from_path), from_path, name, name_size))
        return true;
    for (size_t i = 0; i < walk->count; i++)
        if (is_named(to_path, folder_size(walk->items[i].path), walk->items[i].path, name,
                     name_size))
            return true;
    return is_named(to_path, 0, "", name, name_size);
}

/* The next #include of a text from *at on: its name and size; false at the end. */
static bool next_include(const char **at, const char **name, size_t *name_size)
{
    for (const char *line = *at; line && *line;) {
        const char *here = line + strspn(line, " \t");
        const char *end = strchr(line, '\n');
        line = end ? end + 1 : NULL;
        if (*here != '#')
            continue;
        here += 1 + strspn(here + 1, " \t");
        if (strncmp(here, "include", 7))
            continue;
        here += 7 + strspn(here + 7, " \t");
        if (*here != '<' && *here != '"')
            continue;
        const char *close = strpbrk(here + 1, *here == '<' ? ">\n" : "\"\n");
        if (!close || *close == '\n')
            continue;
        *name = here + 1;
        *name_size = (size_t)(close - here - 1);
        *at = line ? line : close + strlen(close);
        return true;
    }
    return false;
}

/* Keeps the headers from which chains.h is reached. */
static void keep_chains(folder_walk *walk)
{
    bool *kept = chainsi_arena_array(walk->arena, walk->count + 1, sizeof *kept);
    for (size_t i = 0; i < walk->count; i++) /* perhaps through a header outside of the folder */
        kept[i] =
            strstr(walk->items[i].text, "CHAINLET") && strstr(walk->items[i].text, "#include");
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < walk->count; i++) {
            const char *at = walk->items[i].text, *name;
            size_t size;
            while (!kept[i] && next_include(&at, &name, &size)) {
                kept[i] = size == 8 && !memcmp(name, "chains.h", 8);
                for (size_t k = 0; k < walk->count && !kept[i]; k++)
                    kept[i] = kept[k] && includes(walk, i, k, name, size);
                changed |= kept[i];
            }
        }
    }
    size_t count = 0;
    for (size_t i = 0; i < walk->count; i++)
        if (kept[i])
            walk->items[count++] = walk->items[i];
    walk->count = count;
}

static void find_source(folder_walk *walk, chainsi_header *header)
{
    static const char *const ends[] = { ".c", ".cc", ".cpp", ".cu" };
    size_t stem = strlen(header->path) - 2;
    for (size_t i = 0; i < sizeof ends / sizeof *ends && !header->source; i++) {
        char *path = chainsi_arena_printf(walk->arena, "%.*s%s", (int)stem, header->path, ends[i]);
        char *absolute = chainsi_arena_printf(walk->arena, "%s/%s", walk->folder, path);
        if (!access(absolute, F_OK)) {
            header->source = path;
            header->language = chainsi_find_language(path);
        }
    }
}

chainsi_headers chainsi_find_headers(const char *folder, chainsi_arena *arena,
                                     chainsi_diagnostics *diagnostics)
{
    folder_walk walk = { .arena = arena, .diagnostics = diagnostics, .folder = folder };
    look_into(&walk, "", 0);
    if (walk.count)
        qsort(walk.items, walk.count, sizeof *walk.items, compare_headers);
    keep_chains(&walk);
    const char **dirs = chainsi_arena_array(arena, walk.count + 1, sizeof *dirs);
    size_t dir_count = 0;
    dirs[dir_count++] = ".";
    for (size_t i = 0; i < walk.count; i++) {
        find_source(&walk, &walk.items[i]);
        size_t size = folder_size(walk.items[i].path);
        bool known = !size;
        for (size_t k = 0; k < dir_count && !known; k++)
            known = strlen(dirs[k]) == size && !memcmp(dirs[k], walk.items[i].path, size);
        if (!known)
            dirs[dir_count++] = chainsi_arena_copy(arena, walk.items[i].path, size);
    }
    return (chainsi_headers){ walk.items, walk.count, dirs, dir_count };
}
