#include "echo_worker.h"

struct echo_worker {
    char unused;
};

echo_worker *echo_worker_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, sizeof(echo_worker));
}

chains_status echo_worker_run_remote(echo_worker *self, chains_ctx *ctx, const char *text,
                                     const char **reply)
{
    (void)self, (void)ctx;
    *reply = text;
    return CHAINS_OK;
}

void echo_worker_free(echo_worker *self)
{
    (void)self;
}
