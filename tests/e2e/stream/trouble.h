#pragma once
#include <chains.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** What can go wrong in the middle of a stream. */
typedef enum {
    TROUBLE_FAIL CHAINS_NAME("fail"), /**< A failure. */
    TROUBLE_DIE CHAINS_NAME("die"),   /**< The process ends. */
    TROUBLE_EAT CHAINS_NAME("eat"),   /**< More memory is taken than there may be. */
    TROUBLE_WAIT CHAINS_NAME(
        "wait"), /**< Nothing comes until the time is over, which is noticed. */
    TROUBLE_STAY CHAINS_NAME("stay"), /**< Nothing comes, whatever the time. */
} trouble_kind;

/* Has it at that word. */
static inline chains_status have_trouble(chains_ctx *ctx, trouble_kind kind, int at)
{
    while (kind == TROUBLE_STAY)
        pause();
    while (kind == TROUBLE_WAIT && !chains_cancelled(ctx))
        usleep(1000);
    if (kind == TROUBLE_WAIT)
        return chains_fail(ctx, CHAINS_CANCELLED, "nobody waits any more");
    if (kind == TROUBLE_DIE)
        raise(SIGKILL);
    for (int mib = 0; kind == TROUBLE_EAT && mib < 512; mib++)
        memset(chains_alloc(ctx, 1 << 20), 1, 1 << 20);
    return chains_fail(ctx, CHAINS_DATA_LOSS, "lost the thread at %d", at);
}
