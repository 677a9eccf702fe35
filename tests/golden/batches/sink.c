#include "sink.h"

sink *sink_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, 1);
}

chains_status sink_run_remote(sink *self, chains_ctx *ctx, const char *text)
{
    (void)self;
    chains_log(ctx, CHAINS_DEBUG, "%s", text);
    return CHAINS_OK;
}

chains_status sink_run_batch(sink *self, chains_ctx *const calls[], size_t count,
                             const char *const text[])
{
    for (size_t i = 0; i < count; i++)
        CHAINS_TRY(sink_run_remote(self, calls[i], text[i]));
    return CHAINS_OK;
}

void sink_free(sink *self)
{
    (void)self;
}
