/* Looking for libraries. A file counts if it is ELF for the same machine as the program, as for the dynamic linker:
 * 32-bit libraries in the same cache are passed over. */
#include "image/shared.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buffer.h"
#include "image/elf.h"

#define CACHE_MAGIC "glibc-ld.so.cache1.1"
#define MAX_CACHE   ((size_t)64 << 20)

/* /etc/ld.so.cache, as glibc writes it since 2.32. */
typedef struct cache_header {
    char magic[20];
    uint32_t count, texts_size, unused[5];
} cache_header;
typedef struct cache_entry {
    int32_t flags;
    uint32_t name, path, version; /* texts by their place in the file */
    uint64_t hardware;            /* not 0: for some processors only */
} cache_entry;

typedef struct one {
    chainsi_shared shared;
    chainsi_elf elf;
    const char *shown; /* for messages: who asks */
    const struct one *by;
} one;

typedef struct lookup {
    chainsi_arena *arena;
    const char *const *roots, *const *features;
    chainsi_buffer cache;
    uint16_t machine;
    const char *triplet;
    one **found;
    size_t count;
    chainsi_problem *problem;
} lookup;

static const char *triplet_of(uint16_t machine)
{
    switch (machine) {
    case 62:
        return "x86_64-linux-gnu";
    case 183:
        return "aarch64-linux-gnu";
    case 243:
        return "riscv64-linux-gnu";
    case 21:
        return "powerpc64le-linux-gnu";
    case 22:
        return "s390x-linux-gnu";
    default:
        return "linux-gnu";
    }
}

static void read_cache(lookup *search)
{
    int fd = open("/etc/ld.so.cache", O_RDONLY | O_CLOEXEC);
    ssize_t got = 0;
    while (fd >= 0 && search->cache.size < MAX_CACHE &&
           (got = read(fd, chainsi_buffer_reserve(&search->cache, 65536), 65536)) > 0)
        search->cache.size += (size_t)got;
    if (fd >= 0)
        close(fd);
}

static const char *cache_text(const lookup *search, uint32_t at)
{
    const uint8_t *data = search->cache.data;
    return at < search->cache.size && memchr(data + at, 0, search->cache.size - at)
               ? (const char *)data + at
               : NULL;
}

static bool take_file(lookup *search, const char *real, bool in_root, one *out)
{
    chainsi_elf elf;
    if (chainsi_elf_read(real, search->arena, &elf) != CHAINSI_ELF_OK ||
        elf.machine != search->machine)
        return false;
    out->elf = elf;
    out->shared.source = chainsi_arena_strdup(search->arena, real);
    out->shared.from_root = in_root;
    return true;
}

/* Takes the file of this machine if it will do. */
static bool try_file(lookup *search, const char *path, one *out)
{
    char real[PATH_MAX];
    return realpath(path, real) && take_file(search, real, false, out);
}

/* The same of one in a root, whose links, absolute ones too, lead to places in it. */
static bool try_in_root(lookup *search, const char *root, const char *path, one *out)
{
    char real[PATH_MAX], link[64];
    int folder = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct open_how how = { .flags = O_PATH | O_CLOEXEC,
                            .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
    int file = folder < 0 ? -1 : (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = file < 0 ? -1 : readlink(link, real, sizeof real - 1);
    if (file >= 0)
        close(file);
    if (folder >= 0)
        close(folder);
    if (size <= 0)
        return false;
    real[size] = 0;
    return take_file(search, real, true, out);
}

static bool try_in_roots(lookup *search, const char *path, one *out)
{
    for (size_t i = 0; search->roots[i]; i++)
        if (try_in_root(search, search->roots[i], path, out))
            return true;
    return false;
}

static bool try_folder(lookup *search, const char *folder, size_t size, const char *name, one *out)
{
    const char *path = chainsi_arena_printf(search->arena, "%.*s/%s", (int)size, folder, name);
    return try_in_roots(search, path, out) || try_file(search, path, out);
}

/* $ORIGIN and ${ORIGIN}, of the file that has the path in it. */
static const char *expand(lookup *search, const char *folders, const char *owner)
{
    chainsi_buffer out = { 0 };
    const char *slash = strrchr(owner, '/');
    for (const char *at = folders; *at;) {
        size_t skip = !strncmp(at, "$ORIGIN", 7) ? 7 : !strncmp(at, "${ORIGIN}", 9) ? 9 : 0;
        if (skip)
            chainsi_buffer_add(&out, owner, slash ? (size_t)(slash - owner) : 0);
        else
            chainsi_buffer_add_byte(&out, (uint8_t)*at);
        at += skip ? skip : 1;
    }
    const char *text =
        chainsi_arena_copy(search->arena, out.data ? (char *)out.data : "", out.size);
    chainsi_buffer_done(&out);
    return text;
}

static bool try_folders(lookup *search, const char *folders, const char *owner, const char *name,
                        one *out)
{
    if (!folders)
        return false;
    if (owner)
        folders = expand(search, folders, owner);
    for (const char *at = folders; *at;) {
        size_t size = strcspn(at, ":;");
        if (size && try_folder(search, at, size, name, out))
            return true;
        at += size + (at[size] != 0);
    }
    return false;
}

static bool try_cache(lookup *search, const char *name, one *out)
{
    cache_header header;
    if (search->cache.size < sizeof header)
        return false;
    memcpy(&header, search->cache.data, sizeof header);
    if (memcmp(header.magic, CACHE_MAGIC, sizeof header.magic) != 0 ||
        header.count > (search->cache.size - sizeof header) / sizeof(cache_entry))
        return false;
    for (uint32_t i = 0; i < header.count; i++) {
        cache_entry entry;
        memcpy(&entry, search->cache.data + sizeof header + i * sizeof entry, sizeof entry);
        const char *key = cache_text(search, entry.name), *path = cache_text(search, entry.path);
        /* Variants for newer processors are left here: the image may run on another machine. */
        if (key && path && !entry.hardware && !strcmp(key, name) && try_file(search, path, out))
            return true;
    }
    return false;
}

/* The folders that a root's own dynamic linker is told of. */
static bool try_configured(lookup *search, const char *root, const char *name, one *out)
{
    const char *place = chainsi_arena_printf(search->arena, "%s/etc/ld.so.conf.d", root);
    DIR *folder = opendir(place);
    bool found = false;
    for (struct dirent *each; folder && !found && (each = readdir(folder));) {
        FILE *file = fopen(chainsi_arena_printf(search->arena, "%s/%s", place, each->d_name), "re");
        char line[PATH_MAX];
        while (file && !found && fgets(line, sizeof line, file)) {
            line[strcspn(line, " \t\n#")] = 0;
            found = *line == '/' &&
                    try_in_root(search, root,
                                chainsi_arena_printf(search->arena, "%s/%s", line, name), out);
        }
        if (file)
            fclose(file);
    }
    if (folder)
        closedir(folder);
    return found;
}

static bool try_defaults(lookup *search, const char *name, bool in_roots, one *out)
{
    const char *const folders[] = {
        chainsi_arena_printf(search->arena, "/lib/%s", search->triplet),
        chainsi_arena_printf(search->arena, "/usr/lib/%s", search->triplet),
        "/lib64",
        "/usr/lib64",
        "/lib",
        "/usr/lib",
    };
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        const char *path = chainsi_arena_printf(search->arena, "%s/%s", folders[i], name);
        if (in_roots ? try_in_roots(search, path, out) : try_file(search, path, out))
            return true;
    }
    for (size_t i = 0; in_roots && search->roots[i]; i++)
        if (try_configured(search, search->roots[i], name, out))
            return true;
    return false;
}

static bool try_rpaths(lookup *search, const one *asks, const char *name, one *out)
{
    if (asks->elf.runpath)
        return false;
    for (const one *each = asks; each; each = each->by)
        if (!each->elf.runpath &&
            try_folders(search, each->elf.rpath, each->shared.source, name, out))
            return true;
    return false;
}

static bool find_one(lookup *search, const one *asks, const char *name, one *out)
{
    if (strchr(name, '/'))
        return try_in_roots(search, name, out) || try_file(search, name, out);
    return try_rpaths(search, asks, name, out) ||
           try_folders(search, getenv("LD_LIBRARY_PATH"), NULL, name, out) ||
           try_folders(search, asks->elf.runpath, asks->shared.source, name, out) ||
           try_defaults(search, name, true, out) || try_cache(search, name, out) ||
           try_defaults(search, name, false, out);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static const one *find_known(const lookup *search, const char *name)
{
    for (size_t i = 0; i < search->count; i++)
        if (search->found[i]->shared.name && !strcmp(search->found[i]->shared.name, name))
            return search->found[i];
    return NULL;
}

static one *add(lookup *search, const one *by, const char *name)
{
    one *added = chainsi_arena_alloc(search->arena, sizeof *added);
    added->by = by;
    added->shared.name = name;
    added->shown = name;
    search->found[search->count++] = added;
    return added;
}

static bool say_missing(lookup *search, const one *asks, const char *name)
{
    char hint[512];
    snprintf(hint, sizeof hint,
             "install the package that has it (`apt-file search %s` names it), or name it in "
             ".image.apt",
             name);
    return chainsi_problem_set(search->problem, hint,
                               "the library '%s', which '%s' needs, is not on this machine", name,
                               asks->shown);
}

/* False: it isn't on this machine. */
static bool add_one(lookup *search, const one *asks, const char *name)
{
    one found = { 0 };
    if (find_known(search, name))
        return true;
    if (!find_one(search, asks, name, &found))
        return false;
    one *added = add(search, asks, name);
    added->shared.source = found.shared.source;
    added->shared.from_root = found.shared.from_root;
    added->elf = found.elf;
    return true;
}

static bool has_feature(const lookup *search, const char *name)
{
    for (size_t i = 0; name && search->features && search->features[i]; i++)
        if (!strcmp(search->features[i], name))
            return true;
    return false;
}

/* One that is opened while the program runs. */
static bool add_late(lookup *search, const one *asks, const chainsi_late *late)
{
    const bool asked = has_feature(search, late->feature) ||
                       (late->priority && !strcmp(late->priority, "required"));
    if (!late->soname.count || (!asked && late->priority && !strcmp(late->priority, "suggested")))
        return true;
    for (size_t i = 0; i < late->soname.count; i++)
        if (add_one(search, asks, late->soname.items[i]))
            return true;
    return !asked || say_missing(search, asks, late->soname.items[0]);
}

static bool add_needed(lookup *search, const one *asks, const char *interpreter)
{
    if (search->count + asks->elf.needed_count + asks->elf.lates.count > CHAINSI_SHARED_MAX)
        return chainsi_problem_set(search->problem, NULL, "'%s' needs more than %d libraries",
                                   search->found[0]->shown, CHAINSI_SHARED_MAX);
    for (size_t i = 0; i < asks->elf.needed_count; i++) {
        const char *name = asks->elf.needed[i];
        if (!(interpreter && !strcmp(name, last_part(interpreter))) && !add_one(search, asks, name))
            return say_missing(search, asks, name);
    }
    for (size_t i = 0; i < asks->elf.lates.count; i++)
        if (!add_late(search, asks, &asks->elf.lates.items[i]))
            return false;
    return true;
}

static bool add_program(lookup *search, const char *path, chainsi_shared_list *list)
{
    chainsi_elf elf;
    switch (chainsi_elf_read(path, search->arena, &elf)) {
    case CHAINSI_ELF_UNREADABLE:
        return chainsi_problem_file(search->problem, "read", path);
    case CHAINSI_ELF_BROKEN:
        return chainsi_problem_set(search->problem, "build it anew", "'%s' is a damaged ELF file",
                                   path);
    case CHAINSI_ELF_OTHER:
        return true; /* a script, or data: it needs no libraries of ours */
    case CHAINSI_ELF_OK:
        break;
    }
    if (!search->machine) {
        search->machine = elf.machine;
        search->triplet = triplet_of(elf.machine);
    }
    if (elf.machine != search->machine)
        return true;
    one *added = add(search, NULL, NULL);
    added->elf = elf;
    added->shown = last_part(path);
    added->shared.source = chainsi_arena_strdup(search->arena, path);
    if (!list->interpreter && elf.interpreter)
        list->interpreter = elf.interpreter;
    return true;
}

static bool has_version(const one *library, const char *name)
{
    for (size_t i = 0; i < library->elf.version_count; i++)
        if (!library->elf.versions[i].library && !strcmp(library->elf.versions[i].name, name))
            return true;
    return false;
}

/* What was linked here may be too new for the libraries of a root, which would be found out at its start only. */
static bool check_versions(lookup *search)
{
    for (size_t i = 0; i < search->count; i++) {
        const one *asks = search->found[i];
        for (size_t j = 0; !asks->shared.from_root && j < asks->elf.version_count; j++) {
            const chainsi_elf_version *version = &asks->elf.versions[j];
            const one *library = version->library ? find_known(search, version->library) : NULL;
            if (library && library->shared.from_root && !has_version(library, version->name))
                return chainsi_problem_set(
                    search->problem,
                    "name a base of this machine's release of its distribution, or of a newer one",
                    "'%s' needs %s of '%s', and that of the base or of the packages is too old: it "
                    "has "
                    "no such version",
                    asks->shown, version->name, version->library);
        }
    }
    return true;
}

static bool find_interpreter(lookup *search, chainsi_shared_list *list)
{
    one found = { 0 };
    const char *path = list->interpreter;
    if (!path)
        return true;
    if (*path != '/' || (!try_in_roots(search, path, &found) && !try_file(search, path, &found)))
        return chainsi_problem_set(
            search->problem, "install libc6 for the machine that it was built for",
            "the dynamic linker '%s', which '%s' needs, is not on this machine", path,
            search->found[0]->shown);
    list->interpreter_source = found.shared.source;
    list->interpreter_from_root = found.shared.from_root;
    return true;
}

static int compare(const void *left, const void *right)
{
    const chainsi_shared *a = left, *b = right;
    return strcmp(a->name, b->name);
}

bool chainsi_shared_find(const char *const *programs, size_t count, const char *const *roots,
                         const char *const *features, chainsi_arena *arena,
                         chainsi_shared_list *list, chainsi_problem *problem)
{
    lookup search = { .arena = arena, .roots = roots, .features = features, .problem = problem };
    search.found = chainsi_arena_array(arena, count + CHAINSI_SHARED_MAX + 1, sizeof *search.found);
    *list = (chainsi_shared_list){ 0 };
    read_cache(&search);
    bool good = true;
    for (size_t i = 0; good && i < count; i++)
        good = add_program(&search, programs[i], list);
    for (size_t i = 0; good && i < search.count; i++)
        good = add_needed(&search, search.found[i], list->interpreter);
    good = good && check_versions(&search) && find_interpreter(&search, list);
    list->items = chainsi_arena_array(arena, search.count + 1, sizeof *list->items);
    for (size_t i = 0; good && i < search.count; i++)
        if (search.found[i]->shared.name)
            list->items[list->count++] = search.found[i]->shared;
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, compare);
    chainsi_buffer_done(&search.cache);
    return good;
}
