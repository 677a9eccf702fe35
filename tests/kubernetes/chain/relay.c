#include "relay.h"

struct relay {
    worker *asked;
};

relay *relay_new(chains_ctx *ctx, worker *asked)
{
    relay *self = chains_alloc(ctx, sizeof *self);
    self->asked = asked;
    return self;
}

chains_status relay_run_remote(relay *self, chains_ctx *ctx, const char *name, int pause_ms,
                               const char **where)
{
    CHAINS_TRY(worker_run_remote(self->asked, ctx, name, pause_ms, where));
    return CHAINS_OK;
}

void relay_free(relay *self)
{
    (void)self;
}
