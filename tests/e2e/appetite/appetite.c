#include "appetite.h"

struct appetite {
    eater *eats;
    taster *tastes;
};

appetite *appetite_new(chains_ctx *ctx, eater *eats, taster *tastes)
{
    appetite *self = chains_alloc(ctx, sizeof *self);
    self->eats = eats;
    self->tastes = tastes;
    return self;
}

chains_status appetite_run_remote(appetite *self, chains_ctx *ctx, int mib, const char *gate,
                                  int count, bool one, const char **said)
{
    if (one) {
        CHAINS_TRY(taster_run_remote(self->tastes, ctx, mib, gate, said));
        return CHAINS_OK;
    }
    if (count == 1) {
        CHAINS_TRY(eater_run_remote(self->eats, ctx, mib, gate, said));
        return CHAINS_OK;
    }
    chains_ctx *all = chains_gather(ctx);
    const char **each = chains_alloc(ctx, (size_t)count * sizeof *each);
    for (int i = 0; i < count; i++)
        CHAINS_TRY(eater_run_remote(self->eats, all, mib, gate, &each[i]));
    CHAINS_TRY(chains_wait(all));
    *said = each[0];
    return CHAINS_OK;
}

void appetite_free(appetite *self)
{
    (void)self;
}
