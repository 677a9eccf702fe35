#include "echo_entry.h"

struct echo_entry {
    echo_worker *worker;
};

echo_entry *echo_entry_new(chains_ctx *ctx, echo_worker *worker)
{
    echo_entry *self = chains_alloc(ctx, sizeof *self);
    self->worker = worker;
    return self;
}

chains_status echo_entry_run_remote(echo_entry *self, chains_ctx *ctx, const char *text,
                                    const char **reply)
{
    CHAINS_TRY(echo_worker_run_remote(self->worker, ctx, text, reply));
    return CHAINS_OK;
}

void echo_entry_free(echo_entry *self)
{
    (void)self;
}
