#pragma once
#include <chains.h>

/** Fails its first call and answers the next ones with their number. */
CHAINLET(flaky);

flaky *flaky_new(chains_ctx *ctx);
chains_status flaky_run_remote(flaky *self, chains_ctx *ctx, int *call);
void flaky_free(flaky *self);
