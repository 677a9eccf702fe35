#include "kinds.h"

struct kinds {
    int unused;
};

kinds *kinds_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, sizeof(kinds));
}

chains_status kinds_run_remote(kinds *self, chains_ctx *ctx, const kinds_all *all,
                               kinds_labels labels, long long count, kinds_all *result,
                               unsigned long long *total, kinds_stream *stream)
{
    (void)self, (void)ctx;
    if (stream)
        CHAINS_TRY(stream->emit(stream, all->point));
    *result = *all;
    *total = (unsigned long long)count + labels.count;
    return CHAINS_OK;
}

void kinds_free(kinds *self)
{
    (void)self;
}

chains_status kinds_healthy(kinds *self, chains_ctx *ctx)
{
    (void)self, (void)ctx;
    return CHAINS_OK;
}
