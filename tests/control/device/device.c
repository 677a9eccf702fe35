#include "device.h"

#include <stdlib.h>

device *device_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, 1);
}

chains_status device_run_remote(device *self, chains_ctx *ctx, const char **seen)
{
    (void)self;
    *seen = chains_strdup(ctx, getenv("CUDA_VISIBLE_DEVICES"));
    return CHAINS_OK;
}

void device_free(device *self)
{
    (void)self;
}
