#include "tree.h"

#include "notes.h"

struct tree {
    branch *below;
};

tree *tree_new(chains_ctx *ctx, branch *below)
{
    tree *self = chains_alloc(ctx, sizeof *self);
    self->below = below;
    return self;
}

chains_status tree_run_remote(tree *self, chains_ctx *ctx, const char *notes, int branches,
                              bool told)
{
    chains_ctx *all = chains_gather(ctx);
    for (int i = 0; i < branches; i++)
        CHAINS_TRY(branch_run_remote(self->below, all, notes, told));
    chains_status status = chains_wait(all);
    if (status == CHAINS_CANCELLED)
        note_ended(ctx, notes, "tree");
    CHAINS_TRY(status);
    return CHAINS_OK;
}

void tree_free(tree *self)
{
    (void)self;
}
