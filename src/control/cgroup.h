/* The cgroup of one process and of those that it starts: its limits, what it uses, and whether it
 * ended because of them.
 *
 * A group is for one start of a process: it is made before, and removed after the end, so that what it
 * counts is that process's. The process puts itself into it between fork and exec, by
 * descriptors that were opened before (chainsi_cgroup_enter), or is forked into it: nothing of its program has
 * run, or has been counted elsewhere, by then.
 *
 * `cpu` is a share of time, not a choice of CPUs: with 0.5, the process and its threads run for
 * 50 ms of every 100, on any CPUs, and then wait. `memory` counts what the group has touched
 * first: its heap, its files in the page cache (which make room first), and what it wrote
 * into shared memory, such as large messages, until those are gone. Swap is not used instead. Whoever
 * goes beyond is killed by the kernel, with all in the group where the tree is v2.
 *
 * Where a limit can't be set (chainsi_cgroups_no_cpu, …) nothing takes its place. RLIMIT_AS would
 * limit addresses instead of memory, and what maps a GPU's memory or large files has many more
 * of those.
 *
 * Functions block for as long as the kernel's files take. One thread at a time. */
#ifndef CHAINSI_CONTROL_CGROUP_H
#define CHAINSI_CONTROL_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/cgroups.h"

/* What a process may use at most. All zero: no limits; the group then only counts. */
typedef struct chainsi_cgroup_limits {
    double cpu;            /* cores; 0: no limit */
    uint64_t memory_bytes; /* 0: no limit */
} chainsi_cgroup_limits;

typedef struct chainsi_cgroup chainsi_cgroup;

/* Makes the group replica-NAME with its limits; NAME: no '/', unique among the groups that there are.
 * What an ended process has left behind in a group of that name is killed. NULL with a reason: a limit
 * that this machine can set was not taken, or such a leftover hasn't ended yet (try again later). A
 * limit that the machine refuses altogether is passed over; where all is refused, the group is an
 * empty thing that every function takes. cgroups must live longer. */
chainsi_cgroup *chainsi_cgroup_make(const chainsi_cgroups *cgroups, const char *name,
                                    const chainsi_cgroup_limits *limits, char *why,
                                    size_t why_size);
/* Takes over the group of a process that runs, or has run, since before this daemon's time; limits: as
 * it was made with. NULL if there is none. */
chainsi_cgroup *chainsi_cgroup_adopt(const chainsi_cgroups *cgroups, const char *name,
                                     const chainsi_cgroup_limits *limits);
/* Forgets the group and leaves it as it is. NULL is allowed. */
void chainsi_cgroup_forget(chainsi_cgroup *group);
/* Kills what is still in the group, removes it and forgets it. False: something in it hasn't ended yet
 * (a process that is killed takes its time to let go of its memory), and nothing is forgotten: call it
 * again in a moment. NULL is allowed. */
bool chainsi_cgroup_remove(chainsi_cgroup *group);

/* Descriptors to enter the group with, at most CHAINSI_CGROUPS_MOST_TREES, the group's own; they may be
 * sent to the process that forks. Returns how many. */
size_t chainsi_cgroup_entries(const chainsi_cgroup *group, int fds[CHAINSI_CGROUPS_MOST_TREES]);
/* Puts the calling process, which has one thread, into the group. 0 or errno. Safe between fork and
 * exec. */
int chainsi_cgroup_enter(const int *fds, size_t count);
/* Whether an entry is that of a v2 group, which a process can be forked into (CLONE_INTO_CGROUP): that costs nothing, and to
 * enter it some ten milliseconds. */
bool chainsi_cgroup_is_unified_entry(int fd);

/* SIGKILL to all that is in the group. */
void chainsi_cgroup_kill(const chainsi_cgroup *group);

/* What the group uses and has used. -1: this machine doesn't tell. */
typedef struct chainsi_cgroup_usage {
    int64_t memory_bytes, memory_peak_bytes;
    int64_t cpu_ns;            /* CPU time of all its processes, ended ones too */
    int64_t periods;           /* of the quota, in which it wanted to run at all */
    int64_t throttled_periods; /* of them, in which it wanted more than its share */
    int64_t throttled_ns;      /* how long its threads waited because of that, in sum */
} chainsi_cgroup_usage;

void chainsi_cgroup_read_usage(const chainsi_cgroup *group, chainsi_cgroup_usage *usage);

/* How a process of a group ended, as far as memory is concerned. */
typedef enum chainsi_cgroup_end {
    CHAINSI_ENDED_OTHERWISE,
    CHAINSI_ENDED_BY_LIMIT,   /* killed: its group exceeded its memory */
    CHAINSI_ENDED_BY_MACHINE, /* killed: the machine, or what the daemon runs in, had no more */
} chainsi_cgroup_end;

/* What the kernel counts about memory that ran out. -1: it doesn't tell. */
typedef struct chainsi_memory_events {
    int64_t kills;      /* processes of the group killed because memory ran out, here or above */
    int64_t limit_hits; /* times that the group's own limit left no way out (v2); that it was
                           reached at all (v1) */
} chainsi_memory_events;

/* The judgement, from what waitpid() says and the kernel counted. Pure. A process that ends by itself
 * has ended otherwise, even if one that it had started was killed. */
chainsi_cgroup_end chainsi_cgroup_judge(int wait_status, const chainsi_cgroup_limits *limits,
                                        const chainsi_memory_events *events);

/* The same of a group whose process has ended, with the sentence for logs and for last_end: "killed:
 * exceeded its memory limit of 512 MiB (peak 512 MiB)", "killed: the machine ran out of memory", and
 * else that of chainsi_process_describe_end. Call it before the group is removed; NULL is allowed. */
chainsi_cgroup_end chainsi_cgroup_explain_end(const chainsi_cgroup *group, int wait_status,
                                              char *text, size_t size);

/* The quota and period, in microseconds, that give so many cores: at least the smallest that
 * the kernel takes. Pure. */
void chainsi_cpu_quota(double cpu, int64_t *quota_us, int64_t *period_us);

enum { CHAINSI_BYTES_TEXT = 24 };

/* "512 MiB", "1.5 GiB", "4711 B". */
void chainsi_describe_bytes(uint64_t bytes, char text[CHAINSI_BYTES_TEXT]);

#endif
