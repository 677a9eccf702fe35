#include "front.h"

struct front {
    back *dependency;
};

front *front_new(chains_ctx *ctx, back *dependency)
{
    front *self = chains_alloc(ctx, sizeof *self);
    self->dependency = dependency;
    return self;
}

chains_status front_run_remote(front *self, chains_ctx *ctx, int count, int work_ms,
                               chains_int32_list *pids)
{
    *pids = chains_int32_list_new(ctx, (size_t)count);
    if (count == 1)
        return back_run_remote(self->dependency, ctx, work_ms, &pids->items[0]);
    chains_ctx *all = chains_gather(ctx);
    for (size_t i = 0; i < pids->count; i++)
        CHAINS_TRY(back_run_remote(self->dependency, all, work_ms, &pids->items[i]));
    return chains_wait(all);
}

void front_free(front *self)
{
    (void)self;
}
