#pragma once
#include <chains.h>

/** Multiplies numbers, on the GPU where there is one. */
CHAINLET(scale, .entrypoint = true);
scale *scale_new(chains_ctx *ctx);
/** Multiplies. */
chains_status scale_run_remote(scale *self, chains_ctx *ctx, chains_float_list numbers, float by,
                               chains_float_list *scaled, bool *on_gpu);
void scale_free(scale *self);
