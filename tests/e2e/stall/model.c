#include "model.h"

#include <unistd.h>

model *model_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, 1);
}

chains_status model_run_remote(model *self, chains_ctx *ctx, bool hang, const char **said)
{
    (void)self;
    while (hang)
        pause();
    *said = chains_printf(ctx, "well");
    return CHAINS_OK;
}

void model_free(model *self)
{
    (void)self;
}
