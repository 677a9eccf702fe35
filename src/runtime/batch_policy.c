#include "runtime/batch_policy.h"

#include "base/clock.h"

int64_t chainsi_batch_patience(int64_t arrival_ns, int64_t deadline_ns, int64_t max_wait_ns)
{
    if (deadline_ns <= arrival_ns)
        return arrival_ns;
    int64_t wait_ns = max_wait_ns;
    if (deadline_ns != CHAINSI_NEVER && (deadline_ns - arrival_ns) / 2 < wait_ns)
        wait_ns = (deadline_ns - arrival_ns) / 2;
    return arrival_ns + wait_ns;
}

bool chainsi_batch_starts(const chainsi_batch_view *view, int64_t now_ns)
{
    return view->waiting >= view->max_size || view->waiting >= view->in_flight ||
           now_ns >= view->until_ns;
}
