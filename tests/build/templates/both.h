#pragma once
#include "left.h"
#include "right.h"

/** Asks both. */
CHAINLET(both, .entrypoint = true);

both *both_new(chains_ctx *ctx, left *l, right *r);
/** Asks both. */
chains_status both_run_remote(both *self, chains_ctx *ctx, int32_t count,
                              chains_int32_list *answers);
void both_free(both *self);
