#include "worker.h"

#include <time.h>
#include <unistd.h>

worker *worker_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, 1);
}

chains_status worker_run_remote(worker *self, chains_ctx *ctx, const char *name, int pause_ms,
                                const char **where)
{
    (void)self;
    chains_log(ctx, CHAINS_INFO, "runs %s", name);
    const struct timespec pause = { .tv_sec = pause_ms / 1000,
                                    .tv_nsec = pause_ms % 1000 * 1000000L };
    nanosleep(&pause, NULL);
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    *where = chains_printf(ctx, "%s", host);
    return CHAINS_OK;
}

void worker_free(worker *self)
{
    (void)self;
}
