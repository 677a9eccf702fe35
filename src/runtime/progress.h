/* Whether the calls of a replica get on: for how long calls have been running here without one of
 * them having ended, an item having been emitted, or a call to a dependency having come back.
 *
 * A replica whose calls wait for a dependency doesn't stand still: it is the dependency that may.
 * Times are given by the caller, so that tests need no clock. All zero bytes are a good start. Any
 * thread. */
#ifndef CHAINSI_RUNTIME_PROGRESS_H
#define CHAINSI_RUNTIME_PROGRESS_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct chainsi_progress {
    atomic_int running;           /* calls in the Chainlet's code */
    atomic_int away;              /* calls to dependencies in flight */
    atomic_int_least64_t last_ns; /* when something last got on */
} chainsi_progress;

/* A call begins, and ends. */
void chainsi_progress_begin(chainsi_progress *progress, int64_t now_ns);
void chainsi_progress_end(chainsi_progress *progress, int64_t now_ns);
/* A call to a dependency goes out, and comes back, however it ended. */
void chainsi_progress_leave(chainsi_progress *progress);
void chainsi_progress_return(chainsi_progress *progress, int64_t now_ns);
/* Something got on: an item was emitted. */
void chainsi_progress_note(chainsi_progress *progress, int64_t now_ns);
/* How long all has stood still, in nanoseconds; 0: no call runs, or one is away. *running gets how
 * many calls run. */
int64_t chainsi_progress_still_ns(const chainsi_progress *progress, int64_t now_ns, int *running);

#endif
