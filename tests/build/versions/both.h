#pragma once
#include "new_shape.h"
#include "old_shape.h"

/** Asks both. */
CHAINLET(both, .entrypoint = true);

both *both_new(chains_ctx *ctx, old_shape *o, new_shape *n);
/** Asks both. */
chains_status both_run_remote(both *self, chains_ctx *ctx, int32_t side, int32_t *old_area,
                              int32_t *new_area);
void both_free(both *self);
