#include "quiet.h"

struct quiet {
    int nothing;
};

quiet *quiet_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, sizeof(quiet));
}

chains_status quiet_run_remote(quiet *self, chains_ctx *ctx, const char *text, const char **answer)
{
    (void)self, (void)ctx;
    *answer = text;
    return CHAINS_OK;
}

void quiet_free(quiet *self)
{
    (void)self;
}
