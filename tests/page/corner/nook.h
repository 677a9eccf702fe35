#pragma once
#include <chains.h>

/** Hands back a number. */
CHAINLET(nook);

nook *nook_new(chains_ctx *ctx);
chains_status nook_run_remote(nook *self, chains_ctx *ctx, uint64_t number, uint64_t *same);
void nook_free(nook *self);
