#include "both.h"

struct both {
    old_shape *o;
    new_shape *n;
};

both *both_new(chains_ctx *ctx, old_shape *o, new_shape *n)
{
    both *self = chains_alloc(ctx, sizeof *self);
    *self = (both){ o, n };
    return self;
}

chains_status both_run_remote(both *self, chains_ctx *ctx, int32_t side, int32_t *old_area,
                              int32_t *new_area)
{
    CHAINS_TRY(old_shape_run_remote(self->o, ctx, side, old_area));
    return new_shape_run_remote(self->n, ctx, side, new_area);
}

void both_free(both *self)
{
    (void)self;
}
