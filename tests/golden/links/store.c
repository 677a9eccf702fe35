#include "store.h"

struct store {
    counter *calls;
};

store *store_new(chains_ctx *ctx, counter *calls)
{
    store *self = chains_alloc(ctx, sizeof *self);
    self->calls = calls;
    return self;
}

chains_status store_run_remote(store *self, chains_ctx *ctx, const char *text)
{
    uint64_t calls;
    CHAINS_TRY(counter_run_remote(self->calls, ctx, &calls));
    chains_log(ctx, CHAINS_INFO, "%s: %d", text, (int)calls);
    return CHAINS_OK;
}

void store_free(store *self)
{
    (void)self;
}
