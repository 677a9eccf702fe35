#pragma once
#include <chains.h>

/** Has no source: whoever needs it must have a fake above it. */
CHAINLET(oven);
oven *oven_new(chains_ctx *ctx);
/** Heats. */
chains_status oven_run_remote(oven *self, chains_ctx *ctx, double degrees, bool *hot);
void oven_free(oven *self);
