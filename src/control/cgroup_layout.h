/* Where this process stands in the machine's cgroups: a pure function of /proc/self/cgroup and
 * /proc/self/mountinfo.
 *
 * There are three kinds of machine. With v2 one tree has all controllers. With v1 each controller,
 * or a few together, has a tree of its own. A hybrid has some controllers in v1 trees, and a v2
 * tree for the others, perhaps for none. In a container a tree may be mounted from somewhere below
 * its root, read-only, or not at all. */
#ifndef CHAINSI_CONTROL_CGROUP_LAYOUT_H
#define CHAINSI_CONTROL_CGROUP_LAYOUT_H

#include <stdbool.h>

/* What is looked for. */
typedef enum chainsi_cgroup_tree {
    CHAINSI_CGROUP_CPU,     /* the v1 tree with the controller "cpu" */
    CHAINSI_CGROUP_MEMORY,  /* "memory", v1 */
    CHAINSI_CGROUP_CPUACCT, /* "cpuacct", v1: the CPU time used */
    CHAINSI_CGROUP_UNIFIED, /* the v2 tree, whatever controllers it has */
    CHAINSI_CGROUP_TREES
} chainsi_cgroup_tree;

/* How much of a tree can be reached, from worse to better. */
typedef enum chainsi_cgroup_reach {
    CHAINSI_CGROUP_ABSENT,    /* not mounted */
    CHAINSI_CGROUP_OUTSIDE,   /* mounted, but what is mounted hasn't this process's group in it */
    CHAINSI_CGROUP_READ_ONLY, /* mounted read-only */
    CHAINSI_CGROUP_REACHED
} chainsi_cgroup_reach;

typedef struct chainsi_cgroup_place {
    chainsi_cgroup_reach reach;
    char *path; /* the folder of the group that this process is in; owned; of one that is OUTSIDE,
                   where its tree is mounted; NULL: it is ABSENT */
} chainsi_cgroup_place;

typedef struct chainsi_cgroup_layout {
    chainsi_cgroup_place places[CHAINSI_CGROUP_TREES];
} chainsi_cgroup_layout;

/* Finds all trees in the text of the two files; lines that make no sense are passed over. Of a tree
 * that is mounted more than once, the mount that reaches furthest. Call done on the layout. */
void chainsi_cgroup_layout_parse(const char *cgroup, const char *mountinfo,
                                 chainsi_cgroup_layout *layout);
/* The same from this process's own two files; all is ABSENT where they can't be read. */
void chainsi_cgroup_layout_read(chainsi_cgroup_layout *layout);
void chainsi_cgroup_layout_done(chainsi_cgroup_layout *layout);

#endif
