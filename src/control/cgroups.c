/* The daemon's folders in the trees of cgroups. The kernel's files in such a folder are no files to
 * remove: only the folders are, from the lowest up. */
#include "control/cgroups.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "control/handle.h"
#include "control/home.h"
#include "control/kernel_file.h"

enum {
    MAX_RECORD = 64 * 1024,
    CLEAR_MS = 1000, /* how long clearing waits for processes to end */
    CLEAR_STEP_MS = 2,
};

/* Calls on_folder with the path of each group right below; false if one call gave false (errno is
 * that of the last). A folder that is gone has none. */
static bool each_below(const char *folder, bool (*on_folder)(const char *path, void *user),
                       void *user)
{
    DIR *entries = opendir(folder);
    if (!entries)
        return errno == ENOENT;
    bool all = true;
    int error = 0;
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        char *path = chainsi_path("%s/%s", folder, entry->d_name);
        if (!on_folder(path, user)) {
            all = false;
            error = errno;
        }
        free(path);
    }
    closedir(entries);
    errno = error;
    return all;
}

static bool kill_each(const char *folder, void *user)
{
    each_below(folder, kill_each, user);
    char *processes = chainsi_kernel_file_read(folder, "cgroup.procs");
    for (char *at = processes; at && *at;) {
        long pid = strtol(at, &at, 10);
        at += *at == '\n';
        if (pid > 0) /* 0: of a process namespace that can't be reached from here */
            kill((pid_t)pid, SIGKILL);
    }
    free(processes);
    return true;
}

void chainsi_cgroup_kill_all(const char *folder, int version)
{
    /* At once where the kernel (5.14) can: one that forks can't get away. */
    if (version == 2 && chainsi_kernel_file_write(folder, "cgroup.kill", "1") == 0)
        return;
    kill_each(folder, NULL);
}

static bool remove_each(const char *folder, void *user)
{
    (void)user;
    return chainsi_cgroup_remove_folder(folder);
}

bool chainsi_cgroup_remove_folder(const char *folder)
{
    /* Of a group in use, those below it that are empty just now stay as well. */
    char *processes = chainsi_kernel_file_read(folder, "cgroup.procs");
    bool used = processes && *processes;
    free(processes);
    if (used) {
        errno = EBUSY;
        return false;
    }
    return each_below(folder, remove_each, NULL) && (rmdir(folder) == 0 || errno == ENOENT);
}

/* FNV-1a: names differ for homes that differ, and are the same at each start. */
static uint64_t hash(const char *text)
{
    uint64_t value = UINT64_C(14695981039346656037);
    for (; *text; text++)
        value = (value ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return value;
}

static void add_tree(chainsi_cgroups *cgroups, int version, unsigned uses, char *folder)
{
    for (size_t i = 0; i < cgroups->tree_count; i++) {
        if (strcmp(cgroups->trees[i].folder, folder) != 0)
            continue;
        cgroups->trees[i].uses |= uses;
        free(folder);
        return;
    }
    cgroups->trees[cgroups->tree_count++] =
        (chainsi_cgroups_tree){ .version = version, .uses = uses, .folder = folder };
}

/* Why a tree can't be used at all; NULL: it can, as far as can be told. The caller frees it. */
static char *refuse(const chainsi_cgroup_place *place, const char *controller)
{
    switch (place->reach) {
    case CHAINSI_CGROUP_ABSENT:
        return chainsi_path("no cgroup tree with the controller %s is mounted", controller);
    case CHAINSI_CGROUP_OUTSIDE:
        return chainsi_path("the cgroup that the daemon is in isn't part of what is mounted at %s",
                            place->path);
    case CHAINSI_CGROUP_READ_ONLY:
        return chainsi_path("%s is mounted read-only, as in most containers", place->path);
    case CHAINSI_CGROUP_REACHED:
        break;
    }
    return NULL;
}

/* Makes the folder in the v1 tree of a controller. Gives the reason why not. file: what the folder
 * must have to be of use. */
static char *open_v1(chainsi_cgroups *cgroups, const chainsi_cgroup_place *place,
                     const char *controller, const char *file, unsigned uses)
{
    char *why = refuse(place, controller);
    if (why)
        return why;
    char *folder = chainsi_path("%s/%s", place->path, cgroups->name);
    char *path = chainsi_path("%s/%s", folder, file);
    if (mkdir(folder, 0755) != 0 && errno != EEXIST)
        why = chainsi_path("no group can be made in %s: %s", place->path, strerror(errno));
    else if (access(folder, W_OK) != 0 || access(path, W_OK) != 0)
        why = chainsi_path("%s can't be written: %s", path, strerror(errno));
    free(path);
    if (why)
        free(folder);
    else
        add_tree(cgroups, 1, uses, folder);
    return why;
}

/* A limit that a v2 tree may have. */
typedef struct unified_limit {
    const char *controller;
    const char *file;
    chainsi_cgroup_use use;
    char **why; /* where the reason goes */
} unified_limit;

/* Makes the folder in the v2 tree, for the limits that there are of those given (at most two). */
static void open_v2(chainsi_cgroups *cgroups, const chainsi_cgroup_place *place,
                    const unified_limit *limits, size_t count)
{
    const char *names[3] = { NULL };
    char *whys[2];
    if (place->reach != CHAINSI_CGROUP_REACHED) {
        for (size_t i = 0; i < count; i++)
            *limits[i].why = refuse(place, limits[i].controller);
        return;
    }
    for (size_t i = 0; i < count; i++)
        names[i] = limits[i].controller;
    char *folder = chainsi_cgroups_open_unified(place, cgroups->name, names, whys);
    unsigned uses = CHAINSI_CGROUP_COUNTS_CPU;
    for (size_t i = 0; i < count; i++) {
        /* A kernel may have the controller without this file of it. */
        char *path = chainsi_path("%s/%s", folder ? folder : "", limits[i].file);
        if (!whys[i] && access(path, W_OK) != 0)
            whys[i] = chainsi_path("%s can't be written: %s", path, strerror(errno));
        if (!whys[i])
            uses |= limits[i].use;
        *limits[i].why = whys[i];
        free(path);
    }
    if (folder)
        add_tree(cgroups, 2, uses, folder);
}

static char *read_record(const chainsi_cgroups *cgroups)
{
    size_t size;
    char *text = chainsi_read_file(cgroups->record, MAX_RECORD, &size);
    return text ? text : chainsi_copy_text("");
}

/* Whether a line of the record is a folder of this home's in a tree of cgroups. The record is a file
 * like another, and what it names is about to be emptied. */
static bool is_folder_of_ours(const chainsi_cgroups *cgroups, const char *folder)
{
    const char *last = strrchr(folder, '/');
    struct statfs info;
    return last && !strcmp(last + 1, cgroups->name) && statfs(folder, &info) == 0 &&
           (info.f_type == CGROUP_SUPER_MAGIC || info.f_type == CGROUP2_SUPER_MAGIC);
}

static const chainsi_cgroups_tree *find_tree(const chainsi_cgroups *cgroups, const char *folder)
{
    for (size_t i = 0; i < cgroups->tree_count; i++)
        if (!strcmp(cgroups->trees[i].folder, folder))
            return &cgroups->trees[i];
    return NULL;
}

/* Writes which folders there are: this daemon's, and those of earlier ones that are still there. */
static void write_record(const chainsi_cgroups *cgroups)
{
    chainsi_buffer lines = { 0 };
    for (size_t i = 0; i < cgroups->tree_count; i++)
        chainsi_buffer_printf(&lines, "%s\n", cgroups->trees[i].folder);
    char *before = read_record(cgroups), *rest = before;
    for (char *line; (line = strsep(&rest, "\n"));)
        if (*line && !find_tree(cgroups, line) && is_folder_of_ours(cgroups, line))
            chainsi_buffer_printf(&lines, "%s\n", line);
    /* A record that can't be written costs that leftovers in another group aren't found. */
    if (lines.size)
        chainsi_write_file(cgroups->record, lines.data, lines.size);
    else
        unlink(cgroups->record);
    free(before);
    chainsi_buffer_done(&lines);
}

chainsi_cgroups *chainsi_cgroups_open(const chainsi_cgroup_layout *layout, const char *home)
{
    chainsi_cgroups *cgroups = chainsi_make(sizeof *cgroups);
    cgroups->name = chainsi_path("chains-%016" PRIx64, hash(home));
    cgroups->record = chainsi_path("%s/cgroups", home);
    const chainsi_cgroup_place *places = layout->places;
    bool cpu_v1 = places[CHAINSI_CGROUP_CPU].reach != CHAINSI_CGROUP_ABSENT;
    bool memory_v1 = places[CHAINSI_CGROUP_MEMORY].reach != CHAINSI_CGROUP_ABSENT;
    if (cpu_v1)
        cgroups->no_cpu = open_v1(cgroups, &places[CHAINSI_CGROUP_CPU], "cpu", "cpu.cfs_quota_us",
                                  CHAINSI_CGROUP_LIMITS_CPU);
    if (memory_v1)
        cgroups->no_memory = open_v1(cgroups, &places[CHAINSI_CGROUP_MEMORY], "memory",
                                     "memory.limit_in_bytes", CHAINSI_CGROUP_LIMITS_MEMORY);
    unified_limit unified[2];
    size_t count = 0;
    if (!cpu_v1)
        unified[count++] =
            (unified_limit){ "cpu", "cpu.max", CHAINSI_CGROUP_LIMITS_CPU, &cgroups->no_cpu };
    if (!memory_v1)
        unified[count++] = (unified_limit){ "memory", "memory.max", CHAINSI_CGROUP_LIMITS_MEMORY,
                                            &cgroups->no_memory };
    if (count)
        open_v2(cgroups, &places[CHAINSI_CGROUP_UNIFIED], unified, count);
    if (cpu_v1) /* that CPU time can't be counted concerns nobody but the metrics */
        free(open_v1(cgroups, &places[CHAINSI_CGROUP_CPUACCT], "cpuacct", "cpuacct.usage",
                     CHAINSI_CGROUP_COUNTS_CPU));
    write_record(cgroups);
    return cgroups;
}

void chainsi_cgroups_close(chainsi_cgroups *cgroups)
{
    if (!cgroups)
        return;
    size_t kept = 0;
    for (size_t i = 0; i < cgroups->tree_count; i++) {
        if (chainsi_cgroup_remove_folder(cgroups->trees[i].folder))
            free(cgroups->trees[i].folder);
        else
            cgroups->trees[kept++] = cgroups->trees[i];
    }
    cgroups->tree_count = kept;
    write_record(cgroups);
    for (size_t i = 0; i < kept; i++)
        free(cgroups->trees[i].folder);
    free(cgroups->no_cpu);
    free(cgroups->no_memory);
    free(cgroups->name);
    free(cgroups->record);
    free(cgroups);
}

const char *chainsi_cgroups_no_cpu(const chainsi_cgroups *cgroups)
{
    return cgroups->no_cpu;
}

const char *chainsi_cgroups_no_memory(const chainsi_cgroups *cgroups)
{
    return cgroups->no_memory;
}

bool chainsi_cgroups_note(const chainsi_cgroups *cgroups, const char *chainlet, bool cpu,
                          bool memory, char *note, size_t size)
{
    const char *no_cpu = cpu ? cgroups->no_cpu : NULL;
    const char *no_memory = memory ? cgroups->no_memory : NULL;
    if (no_cpu && no_memory && !strcmp(no_cpu, no_memory))
        snprintf(note, size, "%s: .cpu and .memory aren't enforced: %s", chainlet, no_cpu);
    else if (no_cpu && no_memory)
        snprintf(note, size, "%s: .cpu isn't enforced: %s; nor is .memory: %s", chainlet, no_cpu,
                 no_memory);
    else if (no_cpu || no_memory)
        snprintf(note, size, "%s: %s isn't enforced: %s", chainlet, no_cpu ? ".cpu" : ".memory",
                 no_cpu ? no_cpu : no_memory);
    return no_cpu || no_memory;
}

/* What clearing goes through the groups with. */
typedef struct clearing {
    bool (*keep)(const char *name, void *user);
    void *user;
    int version;
} clearing;

static bool clear_group(const char *path, void *user)
{
    const clearing *work = user;
    const char *name = strrchr(path, '/') + 1;
    size_t prefix = strlen(CHAINSI_CGROUP_PREFIX);
    if (!strncmp(name, CHAINSI_CGROUP_PREFIX, prefix) && work->keep &&
        work->keep(name + prefix, work->user))
        return true;
    chainsi_cgroup_kill_all(path, work->version);
    return chainsi_cgroup_remove_folder(path);
}

static bool clear_all(const chainsi_cgroups *cgroups, clearing *work)
{
    bool cleared = true;
    for (size_t i = 0; i < cgroups->tree_count; i++) {
        work->version = cgroups->trees[i].version;
        cleared = each_below(cgroups->trees[i].folder, clear_group, work) && cleared;
    }
    char *record = read_record(cgroups), *rest = record;
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (find_tree(cgroups, line) || !is_folder_of_ours(cgroups, line))
            continue;
        work->version = 2; /* of a v1 tree there is no cgroup.kill, and the other way is taken */
        cleared = each_below(line, clear_group, work) && cleared;
        rmdir(line);
    }
    free(record);
    return cleared;
}

bool chainsi_cgroups_clear(chainsi_cgroups *cgroups, bool (*keep)(const char *name, void *user),
                           void *user)
{
    clearing work = { .keep = keep, .user = user };
    int64_t end_ns = chainsi_now_ns() + CLEAR_MS * CHAINSI_NS_PER_MS;
    bool cleared;
    while (!(cleared = clear_all(cgroups, &work)) && chainsi_now_ns() < end_ns)
        nanosleep(&(struct timespec){ .tv_nsec = CLEAR_STEP_MS * CHAINSI_NS_PER_MS }, NULL);
    write_record(cgroups);
    return cleared;
}
