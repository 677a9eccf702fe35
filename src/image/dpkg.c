/* dpkg's database: info/NAME[:ARCHITECTURE].list names a package's files, status its version. */
#include "image/dpkg.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"

#define DATABASE "/var/lib/dpkg"
#define MAX_FILE ((size_t)256 << 20)

void chainsi_packages_add(chainsi_packages_found *found, const chainsi_package *package)
{
    chainsi_package *more = reallocarray(found->items, found->count + 1, sizeof *more);
    if (!more)
        abort();
    found->items = more;
    found->items[found->count++] = *package;
}

static void read_all(int folder, const char *name, chainsi_buffer *out)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    ssize_t got = 0;
    out->size = 0;
    while (fd >= 0 && out->size < MAX_FILE &&
           (got = read(fd, chainsi_buffer_reserve(out, 65536), 65536)) > 0)
        out->size += (size_t)got;
    if (fd >= 0)
        close(fd);
    chainsi_buffer_add_byte(out, 0);
}

static bool has_line(const char *text, const char *line)
{
    size_t size = strlen(line);
    for (const char *at = text; (at = strstr(at, line)); at += size)
        if ((at == text || at[-1] == '\n') && (at[size] == '\n' || !at[size]))
            return true;
    return false;
}

/* Packages name files as they were before /lib became a link to /usr/lib, or after. */
static bool lists(const char *text, const char *path)
{
    return has_line(text, path) || (!strncmp(path, "/usr/", 5) && has_line(text, path + 4));
}

static const char *field(chainsi_arena *arena, const char *paragraph, const char *end,
                         const char *key)
{
    size_t size = strlen(key);
    for (const char *at = paragraph; at < end;) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        line_end = line_end ? line_end : end;
        if ((size_t)(line_end - at) > size && !memcmp(at, key, size))
            return chainsi_arena_copy(arena, at + size, (size_t)(line_end - at) - size);
        at = line_end + 1;
    }
    return NULL;
}

/* architecture NULL: any. */
static bool look_up(const char *status, const char *name, const char *architecture,
                    chainsi_arena *arena, chainsi_owner *owner)
{
    const char *key = chainsi_arena_printf(arena, "Package: %s\n", name);
    for (const char *at = status; (at = strstr(at, key)); at++) {
        if (at != status && at[-1] != '\n')
            continue;
        const char *end = strstr(at, "\n\n");
        end = end ? end : at + strlen(at);
        const char *version = field(arena, at, end, "Version: ");
        const char *found = field(arena, at, end, "Architecture: ");
        if (!version || !found || (architecture && strcmp(found, architecture) != 0))
            continue;
        owner->name = chainsi_arena_strdup(arena, name);
        owner->version = version;
        owner->architecture = found;
        return true;
    }
    return false;
}

static void answer(const char *list_name, const char *list, const char *status,
                   chainsi_owner *owners, size_t count, chainsi_arena *arena, size_t *open)
{
    for (size_t i = 0; i < count; i++) {
        if (owners[i].name || !lists(list, owners[i].path))
            continue;
        size_t size = strlen(list_name) - 5; /* ".list" */
        char *name = chainsi_arena_copy(arena, list_name, size);
        char *colon = strchr(name, ':');
        if (colon)
            *colon = 0;
        if (look_up(status, name, colon ? colon + 1 : NULL, arena, &owners[i]))
            (*open)--;
    }
}

void chainsi_dpkg_owners(const char *folder, chainsi_owner *owners, size_t count,
                         chainsi_arena *arena)
{
    folder = folder ? folder : DATABASE;
    chainsi_buffer status = { 0 }, list = { 0 };
    size_t open = count;
    for (size_t i = 0; i < count; i++)
        owners[i].name = NULL;
    DIR *info = opendir(chainsi_arena_printf(arena, "%s/info", folder));
    if (info && count)
        read_all(dirfd(info), "../status", &status);
    for (struct dirent *each; info && open && (each = readdir(info));) {
        size_t size = strlen(each->d_name);
        if (size < 6 || strcmp(each->d_name + size - 5, ".list") != 0)
            continue;
        read_all(dirfd(info), each->d_name, &list);
        answer(each->d_name, (const char *)list.data, (const char *)status.data, owners, count,
               arena, &open);
    }
    if (info)
        closedir(info);
    chainsi_buffer_done(&status);
    chainsi_buffer_done(&list);
}

bool chainsi_dpkg_find(const char *folder, const char *name, chainsi_arena *arena,
                       chainsi_owner *owner)
{
    folder = folder ? folder : DATABASE;
    chainsi_buffer status = { 0 };
    read_all(AT_FDCWD, chainsi_arena_printf(arena, "%s/status", folder), &status);
    bool found = look_up((const char *)status.data, name, NULL, arena, owner);
    chainsi_buffer_done(&status);
    return found;
}
