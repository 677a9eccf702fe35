#include "eater.h"
#include "hunger.h"

eater *eater_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, 1);
}

chains_status eater_run_remote(eater *self, chains_ctx *ctx, int mib, const char *gate,
                               const char **said)
{
    (void)self;
    *said = be_hungry(ctx, mib, gate);
    return CHAINS_OK;
}

void eater_free(eater *self)
{
    (void)self;
}
