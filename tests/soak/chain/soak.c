#include "soak.h"

struct soak {
    part *dependency;
};

soak *soak_new(chains_ctx *ctx, part *dependency)
{
    soak *self = chains_alloc(ctx, sizeof *self);
    self->dependency = dependency;
    return self;
}

chains_status soak_run_remote(soak *self, chains_ctx *ctx, int width, int depth, int work_us,
                              chains_bytes payload, int fail, uint64_t *sum)
{
    uint64_t sums[64] = { 0 };
    chains_ctx *all = chains_gather(ctx);
    for (int i = 0; i < width; i++)
        CHAINS_TRY(part_run_remote(self->dependency, all, depth, work_us, payload,
                                   fail >= 0 ? fail - i * depth : -1, &sums[i]));
    CHAINS_TRY(chains_wait(all));
    *sum = 0;
    for (int i = 0; i < width; i++)
        *sum += sums[i];
    return CHAINS_OK;
}

void soak_free(soak *self)
{
    (void)self;
}
