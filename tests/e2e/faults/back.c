#include "back.h"

#include <time.h>
#include <unistd.h>

struct back {
    int nothing;
};

back *back_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, sizeof(back));
}

chains_status back_run_remote(back *self, chains_ctx *ctx, int work_ms, int32_t *pid)
{
    (void)self;
    if (work_ms >= 1000)
        chains_log(ctx, CHAINS_INFO, "works for long");
    nanosleep(&(struct timespec){ .tv_sec = work_ms / 1000, .tv_nsec = work_ms % 1000 * 1000000L },
              NULL);
    *pid = getpid();
    return CHAINS_OK;
}

void back_free(back *self)
{
    (void)self;
}
