#pragma once
#include <chains.h>

/** Piles things up; a negative count is refused. */
CHAINLET(right);

right *right_new(chains_ctx *ctx);
/** Piles up. */
chains_status right_run_remote(right *self, chains_ctx *ctx, int32_t count, int32_t *put,
                               int32_t *calls);
void right_free(right *self);
