#include "part.h"

struct part {
    crumb *dependency;
};

part *part_new(chains_ctx *ctx, crumb *dependency)
{
    part *self = chains_alloc(ctx, sizeof *self);
    self->dependency = dependency;
    return self;
}

chains_status part_run_remote(part *self, chains_ctx *ctx, int depth, int work_us,
                              chains_bytes payload, int fail, uint64_t *sum)
{
    uint64_t sums[64] = { 0 };
    if (depth > 64)
        return chains_fail(ctx, CHAINS_INVALID_ARGUMENT, "too deep: %d", depth);
    chains_ctx *all = chains_gather(ctx);
    for (int i = 0; i < depth; i++)
        CHAINS_TRY(crumb_run_remote(self->dependency, all, work_us, payload, i == fail, &sums[i]));
    CHAINS_TRY(chains_wait(all));
    *sum = 0;
    for (int i = 0; i < depth; i++)
        *sum += sums[i];
    return CHAINS_OK;
}

void part_free(part *self)
{
    (void)self;
}
