/* The daemon's folder in a v2 tree.
 *
 * A controller is available in a group if its parent hands it down (cgroup.subtree_control), and a
 * group that does so may have no process of its own, but for the root of the tree. So the daemon has
 * to leave its group for one below. It never moves others: a group that others are in is theirs. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/cgroups.h"
#include "control/home.h"
#include "control/kernel_file.h"

#define LEAF "chainsd" /* the group that the daemon moves to */

#define DELEGATE                                                                                   \
    "`systemd-run --user --scope --property=Delegate=yes chains serve` gives the daemon a group "  \
    "of "                                                                                          \
    "its own"

/* The controllers that are asked for, and why some can't be used. */
typedef struct asked {
    const char *const *names; /* ends with NULL */
    char **whys;              /* NULL: it can, as far as is known */
} asked;

/* Refuses what isn't refused yet, with one reason for all. Always false. */
static bool refuse_all(const asked *all, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool refuse_all(const asked *all, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *why;
    if (vasprintf(&why, format, arguments) < 0)
        abort();
    va_end(arguments);
    for (size_t i = 0; all->names[i]; i++)
        if (!all->whys[i])
            all->whys[i] = chainsi_path("%s", why);
    free(why);
    return false;
}

static bool any_left(const asked *all)
{
    for (size_t i = 0; all->names[i]; i++)
        if (!all->whys[i])
            return true;
    return false;
}

/* Whether a list with spaces has the word. */
static bool lists(const char *list, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += size)
        if ((at == list || at[-1] == ' ') && (!at[size] || at[size] == ' ' || at[size] == '\n'))
            return true;
    return false;
}

static bool group_lists(const char *folder, const char *file, const char *word)
{
    char *text = chainsi_kernel_file_read(folder, file);
    bool listed = text && lists(text, word);
    free(text);
    return listed;
}

/* access() of a file in the folder. */
static bool may(int mode, const char *folder, const char *file)
{
    char *path = chainsi_path("%s/%s", folder, file);
    bool may_it = access(path, mode) == 0;
    int error = errno;
    free(path);
    errno = error;
    return may_it;
}

/* Whether the process runs this very program: a daemon's other process, or another daemon. */
static bool is_daemon(long pid)
{
    char link[64], own[4096], its[4096];
    snprintf(link, sizeof link, "/proc/%ld/exe", pid);
    ssize_t own_size = readlink("/proc/self/exe", own, sizeof own);
    ssize_t its_size = readlink(link, its, sizeof its);
    return own_size > 0 && own_size == its_size && !memcmp(own, its, (size_t)own_size);
}

/* Moves all processes of the group to the one below, if they are daemons. */
static bool move_down(const char *group, const asked *all)
{
    char *processes = chainsi_kernel_file_read(group, "cgroup.procs");
    char *leaf = chainsi_path("%s/" LEAF, group);
    bool moved =
        processes || refuse_all(all, "what is in %s can't be read: %s", group, strerror(errno));
    for (char *at = processes; moved && *at;) {
        long pid = strtol(at, &at, 10);
        at += *at == '\n';
        /* One of another process namespace shows as 0. */
        if (pid <= 0 || !is_daemon(pid))
            moved =
                refuse_all(all, "other processes are in the daemon's cgroup, %s; " DELEGATE, group);
    }
    if (moved && mkdir(leaf, 0755) != 0 && errno != EEXIST)
        moved = refuse_all(all, "no group can be made in %s: %s", group, strerror(errno));
    for (char *at = processes; moved && *at;) {
        char text[32];
        snprintf(text, sizeof text, "%ld", strtol(at, &at, 10));
        at += *at == '\n';
        int error = chainsi_kernel_file_write(leaf, "cgroup.procs", text);
        if (error && error != ESRCH)
            moved = refuse_all(all, "the daemon can't be moved to %s: %s", leaf, strerror(error));
    }
    free(leaf);
    free(processes);
    return moved;
}

/* Has the group hand the controllers down; those that it can't are refused. */
static void hand_down(const char *group, const asked *all)
{
    for (size_t i = 0; all->names[i]; i++) {
        if (all->whys[i] || group_lists(group, "cgroup.subtree_control", all->names[i]))
            continue;
        char *text = chainsi_path("+%s", all->names[i]);
        int error = chainsi_kernel_file_write(group, "cgroup.subtree_control", text);
        if (error)
            all->whys[i] = chainsi_path("the cgroup %s can't hand the controller %s down: %s",
                                        group, all->names[i], strerror(error));
        free(text);
    }
}

/* The group to make the folder in: the daemon's, or the one above if the daemon, or the one that
 * started it, has moved down before. The caller frees it. */
static char *find_group(const char *own)
{
    char *group = chainsi_path("%s", own);
    char *last = strrchr(group, '/');
    if (last && !strcmp(last + 1, LEAF))
        *last = 0;
    return group;
}

/* Has the group hand down what it can, after moving the daemon out of the way. */
static void prepare(const char *group, const asked *all)
{
    bool handed_down = true;
    for (size_t i = 0; all->names[i]; i++) {
        if (!group_lists(group, "cgroup.controllers", all->names[i]))
            all->whys[i] =
                chainsi_path("the cgroup %s doesn't have the controller %s: the one above "
                             "doesn't hand it down (with systemd, that is Delegate= of "
                             "the units above, such as user@.service)",
                             group, all->names[i]);
        else if (!group_lists(group, "cgroup.subtree_control", all->names[i]))
            handed_down = false;
    }
    if (!any_left(all))
        return;
    if (!may(W_OK, group, ".") || !may(W_OK, group, "cgroup.procs") ||
        (!handed_down && !may(W_OK, group, "cgroup.subtree_control"))) {
        refuse_all(all, "no group can be made in %s: %s; " DELEGATE, group, strerror(errno));
        return;
    }
    /* The root of a tree has no type, and may hold processes. */
    if (handed_down || !may(F_OK, group, "cgroup.type") || move_down(group, all))
        hand_down(group, all);
}

char *chainsi_cgroups_open_unified(const chainsi_cgroup_place *place, const char *name,
                                   const char *const *names, char **whys)
{
    asked all = { .names = names, .whys = whys };
    for (size_t i = 0; names[i]; i++)
        whys[i] = NULL;
    char *group = find_group(place->path);
    char *folder = chainsi_path("%s/%s", group, name);
    prepare(group, &all);
    if (any_left(&all) && mkdir(folder, 0755) != 0 && errno != EEXIST)
        refuse_all(&all, "no group can be made in %s: %s", group, strerror(errno));
    if (any_left(&all))
        hand_down(folder, &all);
    free(group);
    if (any_left(&all))
        return folder;
    rmdir(folder);
    free(folder);
    return NULL;
}
