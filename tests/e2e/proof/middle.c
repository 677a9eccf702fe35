#include "middle.h"

struct middle {
    bottom *below;
};

middle *middle_new(chains_ctx *ctx, bottom *below)
{
    middle *self = chains_alloc(ctx, sizeof *self);
    self->below = below;
    return self;
}

chains_status middle_run_remote(middle *self, chains_ctx *ctx, const char *what, const char *marker,
                                const char **said)
{
    CHAINS_TRY(bottom_run_remote(self->below, ctx, what, marker, said));
    return CHAINS_OK;
}

void middle_free(middle *self)
{
    (void)self;
}
