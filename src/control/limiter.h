/* The limits of a daemon's replicas: the groups that their processes run in (cgroup.h), from before a start until
 * all in it has ended.
 *
 * With v1 nothing is opened before a Chainlet asks for a limit; with v2 the daemon moves into a group below its own
 * (cgroups.h) at once, as long as no other process is in the way. A group is known by its process's name with the keeper, so that
 * a new brain finds those of the replicas that it picks up, and a new daemon knows that none of those that
 * are there is anybody's.
 *
 * Belongs to the thread of the loop; functions block for as long as the kernel's files take. */
#ifndef CHAINSI_CONTROL_LIMITER_H
#define CHAINSI_CONTROL_LIMITER_H

#include <uv.h>

#include "control/cgroup.h"
#include "control/keeping.h"

typedef struct chainsi_limiter chainsi_limiter;

/* Of the daemon of that home. Ends what earlier daemons have left in groups, but for the processes that the
 * keeper has: call it before those are taken. Never NULL. */
chainsi_limiter *chainsi_limiter_new(uv_loop_t *loop, const char *home, chainsi_keeping *keeping);
/* Ends all that is still in groups, and removes them. No group may be held. NULL is allowed. */
void chainsi_limiter_free(chainsi_limiter *limiter);

/* What a deployment should say of a Chainlet's limits: that one isn't enforced here, and why, or that there is less
 * than it allows. A text for each, in arena; returns how many, 2 at most. */
size_t chainsi_limiter_note(chainsi_limiter *limiter, const char *chainlet,
                            const chainsi_cgroup_limits *limits, chainsi_arena *arena,
                            const char *notes[2]);

/* The group for a start of the process of that name; it is the caller's. NULL with a reason as of
 * chainsi_cgroup_make. */
chainsi_cgroup *chainsi_limiter_make(chainsi_limiter *limiter, const char *process,
                                     const chainsi_cgroup_limits *limits, char *why,
                                     size_t why_size);
/* That of a process that an earlier brain has started; NULL: it has none. */
chainsi_cgroup *chainsi_limiter_adopt(chainsi_limiter *limiter, const char *process,
                                      const chainsi_cgroup_limits *limits);
/* The process has ended: takes the group back, and removes it as soon as all in it has ended. NULL is allowed. */
void chainsi_limiter_remove(chainsi_limiter *limiter, const char *process, chainsi_cgroup *group);

#endif
