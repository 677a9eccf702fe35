#include "stall.h"

struct stall {
    model *asked;
};

stall *stall_new(chains_ctx *ctx, model *asked)
{
    stall *self = chains_alloc(ctx, sizeof *self);
    self->asked = asked;
    return self;
}

chains_status stall_run_remote(stall *self, chains_ctx *ctx, bool hang, const char **said)
{
    CHAINS_TRY(model_run_remote(self->asked, ctx, hang, said));
    return CHAINS_OK;
}

void stall_free(stall *self)
{
    (void)self;
}
