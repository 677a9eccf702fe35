#include "flaky.h"

struct flaky {
    int calls;
};

flaky *flaky_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, sizeof(flaky));
}

chains_status flaky_run_remote(flaky *self, chains_ctx *ctx, int *call)
{
    if (++self->calls == 1)
        return chains_fail(ctx, CHAINS_ABORTED, "the first call always fails");
    *call = self->calls;
    return CHAINS_OK;
}

void flaky_free(flaky *self)
{
    (void)self;
}
