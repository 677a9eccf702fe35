/* The daemon's part of the machine's cgroups: the folders that the groups of its replicas
 * (cgroup.h) are made in, and why there are none where the machine doesn't allow it.
 *
 *   GROUP/                       the one that the daemon was started in
 *     chains-0123456789abcdef/   of one CHAINS_HOME; with v1, in the tree of each controller
 *       replica-NAME/            of one process and those that it starts
 *     chainsd/                   v2 only: the daemon itself, see below
 *
 * So whatever limits the daemon limits its replicas, too.
 *
 * With v2 a group that hands controllers down may hold no process itself. If the daemon's group does
 * that already, or is the root of the machine's tree, all is well. Else the daemon moves down, into
 * GROUP/chainsd, provided that it may, and that no process of another program is in the group: those of
 * others aren't moved, and their groups aren't turned into something else. `systemd-run --user
 * --scope --property=Delegate=yes chains serve` starts it in such a group of its own.
 *
 * Each controller is had or refused by itself: many a user's session may limit memory, but not CPUs.
 *
 * Functions block for as long as the kernel's files take. One thread at a time. */
#ifndef CHAINSI_CONTROL_CGROUPS_H
#define CHAINSI_CONTROL_CGROUPS_H

#include <stdbool.h>
#include <stddef.h>

#include "control/cgroup_layout.h"

/* What a tree is used for; bits. */
typedef enum chainsi_cgroup_use {
    CHAINSI_CGROUP_LIMITS_CPU = 1,
    CHAINSI_CGROUP_LIMITS_MEMORY = 2,
    CHAINSI_CGROUP_COUNTS_CPU = 4, /* CPU time; of v2 trees always */
} chainsi_cgroup_use;

/* The daemon's folder in one tree. */
typedef struct chainsi_cgroups_tree {
    int version; /* 1 or 2 */
    unsigned uses;
    char *folder; /* owned */
} chainsi_cgroups_tree;

enum { CHAINSI_CGROUPS_MOST_TREES = 3 };

/* To be read by cgroup.c alone. */
typedef struct chainsi_cgroups {
    chainsi_cgroups_tree trees[CHAINSI_CGROUPS_MOST_TREES];
    size_t tree_count;
    char *no_cpu, *no_memory; /* why the limit can't be set; NULL: it can; owned */
    char *name;               /* of the folders: "chains-…"; owned */
    char *record;             /* path of the file in the home that lists the folders; owned */
} chainsi_cgroups;

/* Makes or finds the folders of this home's daemon; never NULL: what can't be had is refused. The
 * folders are written to HOME/cgroups, so that a later daemon finds them even if it is started in
 * another group. */
chainsi_cgroups *chainsi_cgroups_open(const chainsi_cgroup_layout *layout, const char *home);
/* Removes the groups without processes, and the folders if they are empty by then, and frees the
 * object. What stays is in the record, for the next daemon to find. NULL is allowed. */
void chainsi_cgroups_close(chainsi_cgroups *cgroups);

/* Why CPUs, or memory, can't be limited on this machine: a sentence without its stop, to be put after
 * "… isn't enforced: ". NULL: they can. Lives as long as cgroups. */
const char *chainsi_cgroups_no_cpu(const chainsi_cgroups *cgroups);
const char *chainsi_cgroups_no_memory(const chainsi_cgroups *cgroups);

/* Says which of its options aren't enforced for a Chainlet that asks for limits, and why: the note that
 * a deployment shows. cpu and memory: whether it has the option. False: there is nothing to say. */
bool chainsi_cgroups_note(const chainsi_cgroups *cgroups, const char *chainlet, bool cpu,
                          bool memory, char *note, size_t size);

/* Ends all processes in groups of earlier daemons of this home, and removes the groups; those whose
 * NAME keep() is true for stay. Call it at start, before the first group is made. Waits up to a
 * second for processes to end; what doesn't end by then stays, and counts as false. keep NULL:
 * none stays. */
bool chainsi_cgroups_clear(chainsi_cgroups *cgroups, bool (*keep)(const char *name, void *user),
                           void *user);

/* What cgroup.c needs of a tree's folders, too. The version is the tree's. */

#define CHAINSI_CGROUP_PREFIX "replica-" /* so that no NAME is that of one of the kernel's files */

/* Sends SIGKILL to all processes of a group and of those below it. */
void chainsi_cgroup_kill_all(const char *folder, int version);
/* Removes a group and those below it. False with errno (EBUSY: a process is in it) if it is still
 * there. */
bool chainsi_cgroup_remove_folder(const char *folder);

/* The part of opening that is v2's: makes chains-… below the group, with the controllers that there
 * are of those asked for, and moves the daemon down for that. names ends with NULL; whys[i] is NULL if
 * names[i] can be used, else the reason, which the caller frees. Gives the folder, which the caller
 * frees, or NULL if none can be used. */
char *chainsi_cgroups_open_unified(const chainsi_cgroup_place *place, const char *name,
                                   const char *const *names, char **whys);

#endif
