/* One group in all trees that the daemon has folders in.
 *
 * The two versions have the same numbers in files with other names and units; what differs stands in
 * the functions that open with the version. The counters are read when they are asked for: nothing
 * is kept that the kernel knows. */
#include "control/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/handle.h"
#include "control/home.h"
#include "control/kernel_file.h"
#include "control/process.h"

enum {
    PERIOD_US = 100 * 1000,          /* the kernel's own default */
    LONGEST_PERIOD_US = 1000 * 1000, /* the kernel's limit */
    SMALLEST_QUOTA_US = 1000,        /* likewise */
};

/* The group in one tree. */
typedef struct part {
    const chainsi_cgroups_tree *tree;
    char *folder; /* owned */
    int entry;    /* to write to; owned */
} part;

struct chainsi_cgroup {
    chainsi_cgroup_limits limits;
    part parts[CHAINSI_CGROUPS_MOST_TREES];
    size_t part_count;
};

void chainsi_cpu_quota(double cpu, int64_t *quota_us, int64_t *period_us)
{
    *period_us = cpu * PERIOD_US < SMALLEST_QUOTA_US ? LONGEST_PERIOD_US : PERIOD_US;
    double quota = round(cpu * (double)*period_us);
    /* The kernel refuses more than some 2^44, and days of CPU time in 100 ms are no limit. */
    *quota_us = quota < SMALLEST_QUOTA_US ? SMALLEST_QUOTA_US
                : quota > 0x1p40          ? INT64_C(1) << 40
                                          : (int64_t)quota;
}

void chainsi_describe_bytes(uint64_t bytes, char text[CHAINSI_BYTES_TEXT])
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    size_t unit = 0;
    double value = (double)bytes;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1024;
        unit++;
    }
    bool whole = fabs(value - round(value)) < 0.05;
    snprintf(text, CHAINSI_BYTES_TEXT, whole ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

/* The first part of the group that is good for it; NULL: none is. */
static const part *find_part(const chainsi_cgroup *group, chainsi_cgroup_use use)
{
    for (size_t i = 0; i < group->part_count; i++)
        if (group->parts[i].tree->uses & use)
            return &group->parts[i];
    return NULL;
}

static int write_number(const part *in, const char *file, int64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, number);
    return chainsi_kernel_file_write(in->folder, file, text);
}

/* The number behind the key in a file of lines "key number"; key "": in a file of one number. -1: there
 * is none. */
static int64_t read_number(const part *in, const char *file, const char *key)
{
    if (!in)
        return -1;
    char *text = chainsi_kernel_file_read(in->folder, file), *rest = text;
    int64_t number = -1;
    size_t size = strlen(key);
    for (char *line; text && number < 0 && (line = strsep(&rest, "\n"));) {
        if (strncmp(line, key, size) != 0 || (size && line[size] != ' '))
            continue;
        char *end;
        errno = 0;
        long long value = strtoll(line + size, &end, 10);
        if (end != line + size && !*end && !errno)
            number = value;
    }
    free(text);
    return number;
}

static int limit_cpu(const part *in, double cpu)
{
    int64_t quota_us, period_us;
    chainsi_cpu_quota(cpu, &quota_us, &period_us);
    if (in->tree->version == 2) {
        char text[64];
        snprintf(text, sizeof text, "%" PRId64 " %" PRId64, quota_us, period_us);
        return chainsi_kernel_file_write(in->folder, "cpu.max", text);
    }
    int error = write_number(in, "cpu.cfs_period_us", period_us);
    if (!error)
        error = write_number(in, "cpu.cfs_quota_us", quota_us);
    /* More than the group above has: that one's limit is the narrower, and acts. */
    return error == EINVAL ? 0 : error;
}

static int limit_memory(const part *in, uint64_t bytes)
{
    int64_t limit = bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes;
    if (in->tree->version == 2) {
        int error = write_number(in, "memory.max", limit);
        /* Kernels without swap, or too old for one of them, haven't these files. */
        write_number(in, "memory.swap.max", 0);
        write_number(in, "memory.oom.group", 1);
        return error;
    }
    int error = write_number(in, "memory.limit_in_bytes", limit);
    /* Memory and swap together: so none of it is swap. Where it isn't counted, it isn't used. */
    if (!error && write_number(in, "memory.memsw.limit_in_bytes", limit) != 0)
        write_number(in, "memory.swappiness", 0);
    return error;
}

static chainsi_cgroup *group_new(const chainsi_cgroups *cgroups, const char *name,
                                 const chainsi_cgroup_limits *limits)
{
    chainsi_cgroup *group = chainsi_make(sizeof *group);
    group->limits = *limits;
    for (size_t i = 0; i < cgroups->tree_count; i++) {
        const chainsi_cgroups_tree *tree = &cgroups->trees[i];
        char *folder = chainsi_path("%s/" CHAINSI_CGROUP_PREFIX "%s", tree->folder, name);
        group->parts[group->part_count++] = (part){ .tree = tree, .folder = folder, .entry = -1 };
    }
    return group;
}

/* What to enter the group by: with v2 its folder. With v1 the file that moves single threads: whoever moves all of
 * a process waits until no other thread of the machine is about to fork, which takes some ten milliseconds. */
static int open_entry(part *in)
{
    if (in->tree->version == 2) {
        in->entry = open(in->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } else {
        char *path = chainsi_path("%s/tasks", in->folder);
        in->entry = open(path, O_WRONLY | O_CLOEXEC);
        free(path);
    }
    return in->entry < 0 ? errno : 0;
}

/* Makes the folder anew, without what may be left in an old one. 0 or errno. */
static int make_folder(const part *in)
{
    if (mkdir(in->folder, 0755) == 0)
        return 0;
    if (errno != EEXIST)
        return errno;
    chainsi_cgroup_kill_all(in->folder, in->tree->version);
    if (!chainsi_cgroup_remove_folder(in->folder) || mkdir(in->folder, 0755) != 0)
        return errno;
    return 0;
}

static int make_part(part *in, const chainsi_cgroup_limits *limits, const char **doing)
{
    *doing = "made";
    int error = make_folder(in);
    if (error)
        return error;
    if (limits->cpu > 0 && in->tree->uses & CHAINSI_CGROUP_LIMITS_CPU) {
        *doing = "given its CPU limit";
        error = limit_cpu(in, limits->cpu);
    }
    if (!error && limits->memory_bytes && in->tree->uses & CHAINSI_CGROUP_LIMITS_MEMORY) {
        *doing = "given its memory limit";
        error = limit_memory(in, limits->memory_bytes);
    }
    if (!error) {
        *doing = "opened";
        error = open_entry(in);
    }
    return error;
}

chainsi_cgroup *chainsi_cgroup_make(const chainsi_cgroups *cgroups, const char *name,
                                    const chainsi_cgroup_limits *limits, char *why, size_t why_size)
{
    chainsi_cgroup *group = group_new(cgroups, name, limits);
    for (size_t i = 0; i < group->part_count; i++) {
        const char *doing;
        int error = make_part(&group->parts[i], limits, &doing);
        if (!error)
            continue;
        snprintf(why, why_size, "the cgroup %s can't be %s: %s", group->parts[i].folder, doing,
                 error == EBUSY ? "a process in it hasn't ended yet" : strerror(error));
        if (!chainsi_cgroup_remove(group))
            chainsi_cgroup_forget(group);
        return NULL;
    }
    return group;
}

chainsi_cgroup *chainsi_cgroup_adopt(const chainsi_cgroups *cgroups, const char *name,
                                     const chainsi_cgroup_limits *limits)
{
    chainsi_cgroup *group = group_new(cgroups, name, limits);
    for (size_t i = 0; i < group->part_count; i++) {
        if (!open_entry(&group->parts[i]))
            continue;
        chainsi_cgroup_forget(group);
        return NULL;
    }
    return group;
}

void chainsi_cgroup_forget(chainsi_cgroup *group)
{
    if (!group)
        return;
    for (size_t i = 0; i < group->part_count; i++) {
        if (group->parts[i].entry >= 0)
            close(group->parts[i].entry);
        free(group->parts[i].folder);
    }
    free(group);
}

bool chainsi_cgroup_remove(chainsi_cgroup *group)
{
    if (!group)
        return true;
    chainsi_cgroup_kill(group);
    bool removed = true;
    for (size_t i = 0; i < group->part_count; i++)
        removed = chainsi_cgroup_remove_folder(group->parts[i].folder) && removed;
    if (removed)
        chainsi_cgroup_forget(group);
    return removed;
}

size_t chainsi_cgroup_entries(const chainsi_cgroup *group, int fds[CHAINSI_CGROUPS_MOST_TREES])
{
    for (size_t i = 0; i < group->part_count; i++)
        fds[i] = group->parts[i].entry;
    return group->part_count;
}

bool chainsi_cgroup_is_unified_entry(int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
}

/* 0 or errno. */
static int enter_unified(int folder)
{
    int fd = openat(folder, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    int error = fd < 0 || write(fd, "0", 1) < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return error;
}

int chainsi_cgroup_enter(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int error = chainsi_cgroup_is_unified_entry(fds[i]) ? enter_unified(fds[i])
                    : write(fds[i], "0", 1) < 0             ? errno /* the writer itself */
                                                            : 0;
        if (error)
            return error;
    }
    return 0;
}

void chainsi_cgroup_kill(const chainsi_cgroup *group)
{
    for (size_t i = 0; i < group->part_count; i++)
        chainsi_cgroup_kill_all(group->parts[i].folder, group->parts[i].tree->version);
}

void chainsi_cgroup_read_usage(const chainsi_cgroup *group, chainsi_cgroup_usage *usage)
{
    *usage = (chainsi_cgroup_usage){ -1, -1, -1, -1, -1, -1 };
    const part *memory = find_part(group, CHAINSI_CGROUP_LIMITS_MEMORY);
    const part *limited = find_part(group, CHAINSI_CGROUP_LIMITS_CPU);
    const part *counted = find_part(group, CHAINSI_CGROUP_COUNTS_CPU);
    if (memory && memory->tree->version == 2) {
        usage->memory_bytes = read_number(memory, "memory.current", "");
        usage->memory_peak_bytes = read_number(memory, "memory.peak", "");
    } else if (memory) {
        usage->memory_bytes = read_number(memory, "memory.usage_in_bytes", "");
        usage->memory_peak_bytes = read_number(memory, "memory.max_usage_in_bytes", "");
    }
    usage->periods = read_number(limited, "cpu.stat", "nr_periods");
    usage->throttled_periods = read_number(limited, "cpu.stat", "nr_throttled");
    if (limited && limited->tree->version == 2) {
        int64_t throttled_us = read_number(limited, "cpu.stat", "throttled_usec");
        usage->throttled_ns = throttled_us < 0 ? -1 : throttled_us * 1000;
    } else {
        usage->throttled_ns = read_number(limited, "cpu.stat", "throttled_time");
    }
    if (counted && counted->tree->version == 2) {
        int64_t used_us = read_number(counted, "cpu.stat", "usage_usec");
        usage->cpu_ns = used_us < 0 ? -1 : used_us * 1000;
    } else {
        usage->cpu_ns = read_number(counted, "cpuacct.usage", "");
    }
}

/* How often a v1 group reached its limit, or just whether it did: newer kernels (6.18 among them)
 * have the counter of it, but leave it at 0. The most that was used tells, too: what is refused are at
 * most OOM_PAGES at once, of more than that the kernel rather makes less. */
static int64_t read_v1_hits(const part *memory)
{
    enum { OOM_PAGES = 8 };
    int64_t hits = read_number(memory, "memory.failcnt", "");
    int64_t limit = read_number(memory, "memory.limit_in_bytes", "");
    int64_t peak = read_number(memory, "memory.max_usage_in_bytes", "");
    bool reached = limit >= 0 && peak >= 0 && peak >= limit - OOM_PAGES * sysconf(_SC_PAGESIZE);
    return hits <= 0 && reached ? 1 : hits;
}

static chainsi_memory_events read_events(const chainsi_cgroup *group)
{
    const part *memory = find_part(group, CHAINSI_CGROUP_LIMITS_MEMORY);
    if (memory && memory->tree->version == 2)
        return (chainsi_memory_events){ .kills = read_number(memory, "memory.events", "oom_kill"),
                                        .limit_hits = read_number(memory, "memory.events", "oom") };
    return (chainsi_memory_events){ .kills = read_number(memory, "memory.oom_control", "oom_kill"),
                                    .limit_hits = memory ? read_v1_hits(memory) : -1 };
}

/* Whether memory ran out, and whose. */
static chainsi_cgroup_end who_ran_out(const chainsi_cgroup_limits *limits,
                                      const chainsi_memory_events *events)
{
    if (events->kills <= 0)
        return CHAINSI_ENDED_OTHERWISE;
    return limits->memory_bytes && events->limit_hits > 0 ? CHAINSI_ENDED_BY_LIMIT
                                                          : CHAINSI_ENDED_BY_MACHINE;
}

chainsi_cgroup_end chainsi_cgroup_judge(int wait_status, const chainsi_cgroup_limits *limits,
                                        const chainsi_memory_events *events)
{
    bool killed = WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL;
    return killed ? who_ran_out(limits, events) : CHAINSI_ENDED_OTHERWISE;
}

static void explain(chainsi_cgroup_end end, const chainsi_cgroup *group, char *text, size_t size)
{
    chainsi_cgroup_usage usage;
    chainsi_cgroup_read_usage(group, &usage);
    char peak[CHAINSI_BYTES_TEXT] = "", peak_note[CHAINSI_BYTES_TEXT + 16] = "";
    char limit[CHAINSI_BYTES_TEXT];
    if (usage.memory_peak_bytes >= 0) {
        chainsi_describe_bytes((uint64_t)usage.memory_peak_bytes, peak);
        snprintf(peak_note, sizeof peak_note, " (peak %s)", peak);
    }
    chainsi_describe_bytes(group->limits.memory_bytes, limit);
    if (end == CHAINSI_ENDED_BY_LIMIT)
        snprintf(text, size, "killed: exceeded its memory limit of %s%s", limit, peak_note);
    else
        snprintf(text, size, "killed: the machine ran out of memory%s", peak_note);
}

chainsi_cgroup_end chainsi_cgroup_explain_end(const chainsi_cgroup *group, int wait_status,
                                              char *text, size_t size)
{
    chainsi_memory_events events = { -1, -1 };
    if (group)
        events = read_events(group);
    chainsi_cgroup_end end = group ? chainsi_cgroup_judge(wait_status, &group->limits, &events)
                                   : CHAINSI_ENDED_OTHERWISE;
    if (end != CHAINSI_ENDED_OTHERWISE) {
        explain(end, group, text, size);
        return end;
    }
    chainsi_process_describe_end(wait_status, text, size);
    chainsi_cgroup_end helper = group ? who_ran_out(&group->limits, &events) : end;
    if (helper == CHAINSI_ENDED_OTHERWISE)
        return end;
    char why[128];
    explain(helper, group, why, sizeof why);
    size_t used = strlen(text);
    snprintf(text + used, size - used, "; before, a process that it had started was %s", why);
    return end;
}
