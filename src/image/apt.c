/* apt decides and fetches, dpkg-deb and tar unpack. A folder is made under another name and renamed when it is whole. */
#include "image/apt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/digest.h"
#include "image/file.h"
#include "image/tool.h"

#define LISTS    "/var/lib/apt/lists"
#define MAX_FILE ((size_t)256 << 20)

typedef struct unpacking {
    chainsi_arena *arena;
    const char *folder; /* being made */
    const char *const *names;
    size_t count;
    const char *shown; /* the names, for messages */
    chainsi_problem *problem;
} apt_unpacking;

/* What isn't there is empty. */
static void load(const char *path, chainsi_buffer *out)
{
    chainsi_problem ignored;
    if (path)
        (void)chainsi_file_read(path, MAX_FILE, out, &ignored);
}

/* What the outcome depends on: the names, what the base has, and the lists as of `apt-get update`. */
static const char *key_of(const apt_unpacking *unpacking, const char *status)
{
    struct stat about = { 0 };
    stat(LISTS, &about);
    chainsi_buffer text = { 0 };
    chainsi_buffer_printf(&text, "%lld.%09ld\n", (long long)about.st_mtim.tv_sec,
                          about.st_mtim.tv_nsec);
    for (size_t i = 0; i < unpacking->count; i++)
        chainsi_buffer_printf(&text, "%s\n", unpacking->names[i]);
    load(status, &text);
    char digest[CHAINSI_DIGEST_TEXT];
    chainsi_digest_text(text.data, text.size, digest);
    chainsi_buffer_done(&text);
    return chainsi_arena_copy(unpacking->arena, digest, 16);
}

static bool run_apt(const apt_unpacking *unpacking, const char *mode, chainsi_buffer *out)
{
    chainsi_arena *arena = unpacking->arena;
    const char *words[64] = { "apt-get", mode, "-y" };
    const char *const settings[] = {
        chainsi_arena_printf(arena, "Dir::State::status=%s/status", unpacking->folder),
        chainsi_arena_printf(arena, "Dir::Cache::archives=%s/archives", unpacking->folder),
        "Dir::Cache::pkgcache=",
        "Dir::Cache::srcpkgcache=",
        "Debug::NoLocking=1",
        "APT::Install-Recommends=0",
        "APT::Sandbox::User=",
        "Dpkg::Use-Pty=0",
    };
    size_t count = 3;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        words[count++] = "-o";
        words[count++] = settings[i];
    }
    words[count++] = "install";
    words[count++] = "--";
    for (size_t i = 0; i < unpacking->count && count < 63; i++)
        words[count++] = unpacking->names[i];
    char doing[1024];
    snprintf(doing, sizeof doing, "can't get the packages of .image.apt (%s)", unpacking->shown);
    if (chainsi_tool_run(words, "apt", doing, out, unpacking->problem))
        return true;
    snprintf(
        unpacking->problem->hint, sizeof unpacking->problem->hint,
        "see that they are spelt as `apt-cache search` spells them, and that the lists are fresh: "
        "apt-get update");
    return false;
}

static bool unpack_one(const apt_unpacking *unpacking, const char *name)
{
    /* Debian's packages still name /lib, which is a link here as on every machine of it. */
    const char *script =
        "dpkg-deb --fsys-tarfile \"$1\" | tar -x -C \"$2\" --keep-directory-symlink "
        "--no-same-owner --exclude='./usr/share/man/*' --exclude='./usr/share/info/*' "
        "--exclude='./usr/share/locale/*' --exclude='./usr/share/lintian/*'";
    const char *file =
        chainsi_arena_printf(unpacking->arena, "%s/archives/%s", unpacking->folder, name);
    const char *words[] = {
        "bash",   "-c", chainsi_arena_printf(unpacking->arena, "set -o pipefail; %s", script),
        "unpack", file, chainsi_arena_printf(unpacking->arena, "%s/root", unpacking->folder),
        NULL
    };
    chainsi_buffer said = { 0 };
    bool good = chainsi_tool_run(words, "bash, dpkg or tar",
                                 chainsi_arena_printf(unpacking->arena, "can't unpack '%s'", file),
                                 &said, unpacking->problem);
    chainsi_buffer_done(&said);
    return good;
}

static bool unpack_all(const apt_unpacking *unpacking)
{
    const char *archives = chainsi_arena_printf(unpacking->arena, "%s/archives", unpacking->folder);
    struct dirent **names;
    int count = scandir(archives, &names, NULL, alphasort);
    if (count < 0)
        return chainsi_problem_file(unpacking->problem, "read the folder", archives);
    bool good = true;
    for (int i = 0; i < count; i++) {
        size_t size = strlen(names[i]->d_name);
        if (good && size > 4 && !strcmp(names[i]->d_name + size - 4, ".deb"))
            good = unpack_one(unpacking, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return good;
}

static bool make_folders(const apt_unpacking *unpacking)
{
    static const char *const names[] = { "",
                                         "/archives",
                                         "/archives/partial",
                                         "/root",
                                         "/root/usr",
                                         "/root/usr/lib",
                                         "/root/usr/bin",
                                         "/root/usr/sbin",
                                         "/root/usr/lib64" };
    static const char *const links[] = { "lib", "bin", "sbin", "lib64" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *path =
            chainsi_arena_printf(unpacking->arena, "%s%s", unpacking->folder, names[i]);
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            return chainsi_problem_file(unpacking->problem, "make the folder", path);
    }
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        const char *path =
            chainsi_arena_printf(unpacking->arena, "%s/root/%s", unpacking->folder, links[i]);
        if (symlink(chainsi_arena_printf(unpacking->arena, "usr/%s", links[i]), path) != 0 &&
            errno != EEXIST)
            return chainsi_problem_file(unpacking->problem, "make the link", path);
    }
    return true;
}

/* "Inst NAME [OLD] (VERSION Debian:12/stable [ARCHITECTURE])" is a line of what apt would do. */
static void read_plan(const char *plan, chainsi_arena *arena, chainsi_packages_found *packages)
{
    for (const char *at = plan; at && *at; at = strchr(at, '\n'), at = at ? at + 1 : NULL) {
        char name[256], version[256];
        size_t size = strcspn(at, "\n");
        const char *line = chainsi_arena_copy(arena, at, size);
        const char *open = strchr(line, '('), *close = strrchr(line, ')');
        const char *architecture = close;
        while (architecture && architecture > line && *architecture != '[')
            architecture--;
        if (!open || !close || sscanf(line, "Inst %255s", name) != 1 ||
            sscanf(open, "(%255s", version) != 1)
            continue;
        chainsi_packages_add(
            packages,
            &(chainsi_package){ .name = chainsi_arena_strdup(arena, name),
                                .version = chainsi_arena_strdup(arena, version),
                                .architecture = chainsi_arena_copy(
                                    arena, architecture + 1, strcspn(architecture + 1, "]")) });
    }
}

static bool make(const apt_unpacking *unpacking, const char *status)
{
    chainsi_buffer base = { 0 }, plan = { 0 }, said = { 0 };
    load(status, &base);
    bool good =
        make_folders(unpacking) &&
        chainsi_file_write(chainsi_arena_printf(unpacking->arena, "%s/status", unpacking->folder),
                           base.data, base.size, unpacking->problem) &&
        run_apt(unpacking, "-s", &plan) && run_apt(unpacking, "--download-only", &said) &&
        unpack_all(unpacking) &&
        chainsi_file_write(chainsi_arena_printf(unpacking->arena, "%s/plan", unpacking->folder),
                           plan.data, plan.size, unpacking->problem);
    chainsi_buffer_done(&base);
    chainsi_buffer_done(&plan);
    chainsi_buffer_done(&said);
    return good;
}

bool chainsi_apt_unpack(const char *work, const char *const *names, size_t count,
                        const char *status, chainsi_arena *arena, const char **root,
                        chainsi_packages_found *packages, chainsi_problem *problem)
{
    chainsi_buffer shown = { 0 };
    for (size_t i = 0; i < count; i++)
        chainsi_buffer_printf(&shown, "%s%s", i ? " " : "", names[i]);
    apt_unpacking unpacking = { .arena = arena,
                                .names = names,
                                .count = count,
                                .shown = chainsi_arena_copy(arena, shown.data, shown.size),
                                .problem = problem };
    chainsi_buffer_done(&shown);
    const char *whole = chainsi_arena_printf(arena, "%s/apt-%s", work, key_of(&unpacking, status));
    unpacking.folder = chainsi_arena_printf(arena, "%s.part", whole);
    if (access(whole, F_OK) != 0) {
        const char *remove[] = { "rm", "-rf", "--", unpacking.folder, NULL };
        chainsi_buffer said = { 0 };
        bool good = chainsi_tool_run(remove, "coreutils", "can't begin anew", &said, problem) &&
                    make(&unpacking, status);
        chainsi_buffer_done(&said);
        if (!good)
            return false;
        if (rename(unpacking.folder, whole) != 0)
            return chainsi_problem_file(problem, "make the folder", whole);
    }
    chainsi_buffer plan = { 0 };
    load(chainsi_arena_printf(arena, "%s/plan", whole), &plan);
    chainsi_buffer_add_byte(&plan, 0);
    read_plan((const char *)plan.data, arena, packages);
    chainsi_buffer_done(&plan);
    *root = chainsi_arena_printf(arena, "%s/root", whole);
    return true;
}
