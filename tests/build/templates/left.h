#pragma once
#include <chains.h>

/** Piles things up; a negative count is refused. */
CHAINLET(left);

left *left_new(chains_ctx *ctx);
/** Piles up. */
chains_status left_run_remote(left *self, chains_ctx *ctx, int32_t count, int32_t *put,
                              int32_t *calls);
void left_free(left *self);
