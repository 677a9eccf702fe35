#include "branch.h"

#include "notes.h"

struct branch {
    leaf *below;
};

branch *branch_new(chains_ctx *ctx, leaf *below)
{
    branch *self = chains_alloc(ctx, sizeof *self);
    self->below = below;
    return self;
}

chains_status branch_run_remote(branch *self, chains_ctx *ctx, const char *notes, bool told)
{
    chains_status status = leaf_run_remote(self->below, ctx, notes, told);
    if (status == CHAINS_CANCELLED)
        note_ended(ctx, notes, "branch");
    CHAINS_TRY(status);
    return CHAINS_OK;
}

void branch_free(branch *self)
{
    (void)self;
}
