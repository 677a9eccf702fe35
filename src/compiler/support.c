/* Finds chains.h and libchains.a beside the running program: `<dir>/chains` in a build tree has
 * `<dir>/include` and `<dir>/lib`, an installed `<prefix>/bin/chains` has them one folder up. Tests
 * run from deeper in a build tree, so the folders above are tried in turn. */
#include "compiler/support.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How many folders above the program are looked at: tests lie at most this deep in a build tree. */
#define FOLDERS_ABOVE 4

static bool look_in(const char *folder, chainsi_support *support, chainsi_arena *arena)
{
    const char *library = chainsi_arena_printf(arena, "%s/lib/libchains.a", folder);
    const char *header = chainsi_arena_printf(arena, "%s/include/chains.h", folder);
    const char *internal = chainsi_arena_printf(arena, "%s/lib/chains/include", folder);
    if (access(header, R_OK) || access(internal, R_OK))
        return false;
    const char *tls = chainsi_arena_printf(arena, "%s/lib/libchains_tls.a", folder);
    support->include_dir = chainsi_arena_printf(arena, "%s/include", folder);
    support->internal_include_dir = internal;
    support->library = library;
    support->tls_library = access(tls, R_OK) ? NULL : tls;
    return true;
}

bool chainsi_support_find(chainsi_support *support, chainsi_arena *arena)
{
    const char *given = getenv("CHAINS_SUPPORT_DIR");
    if (given && *given)
        return look_in(given, support, arena);
    char folder[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", folder, sizeof folder - 1);
    if (size <= 0)
        return false;
    folder[size] = '\0';
    for (int i = 0; i < FOLDERS_ABOVE; i++) {
        char *slash = strrchr(folder, '/');
        if (!slash || slash == folder)
            return false;
        *slash = '\0';
        if (look_in(folder, support, arena))
            return true;
    }
    return false;
}
