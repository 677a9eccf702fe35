#include "taster.h"
#include "hunger.h"

taster *taster_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, 1);
}

chains_status taster_run_remote(taster *self, chains_ctx *ctx, int mib, const char *gate,
                                const char **said)
{
    (void)self;
    *said = be_hungry(ctx, mib, gate);
    return CHAINS_OK;
}

void taster_free(taster *self)
{
    (void)self;
}
