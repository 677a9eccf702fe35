#include "runtime/progress.h"

void chainsi_progress_note(chainsi_progress *progress, int64_t now_ns)
{
    atomic_store(&progress->last_ns, now_ns);
}

void chainsi_progress_begin(chainsi_progress *progress, int64_t now_ns)
{
    /* Before it counts: nobody may see it run since whenever the last one ended. */
    if (atomic_load(&progress->running) == 0)
        chainsi_progress_note(progress, now_ns);
    atomic_fetch_add(&progress->running, 1);
}

void chainsi_progress_end(chainsi_progress *progress, int64_t now_ns)
{
    chainsi_progress_note(progress, now_ns);
    atomic_fetch_sub(&progress->running, 1);
}

void chainsi_progress_leave(chainsi_progress *progress)
{
    atomic_fetch_add(&progress->away, 1);
}

void chainsi_progress_return(chainsi_progress *progress, int64_t now_ns)
{
    chainsi_progress_note(progress, now_ns);
    atomic_fetch_sub(&progress->away, 1);
}

int64_t chainsi_progress_still_ns(const chainsi_progress *progress, int64_t now_ns, int *running)
{
    *running = atomic_load(&progress->running);
    if (*running == 0 || atomic_load(&progress->away) > 0)
        return 0;
    int64_t still_ns = now_ns - atomic_load(&progress->last_ns);
    return still_ns > 0 ? still_ns : 0;
}
