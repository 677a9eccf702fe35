#pragma once
#include <chains.h>

/** Fails as it is told to. */
CHAINLET(bottom, .concurrency = 4);

bottom *bottom_new(chains_ctx *ctx);
/** Fails with NOT_FOUND, or ends its process.
 *  @param what  "missing", or "crash": ends the process unless the marker exists, which it makes
 *  @param marker a file
 *  @param said  what it says if it doesn't fail */
chains_status bottom_run_remote(bottom *self, chains_ctx *ctx, const char *what, const char *marker,
                                const char **said);
void bottom_free(bottom *self);
