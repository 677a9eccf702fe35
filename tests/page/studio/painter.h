#pragma once
#include <chains.h>

/** Paints <b onclick="alert(1)">one colour</b>. */
CHAINLET(painter, .concurrency = 2, .autoscaling = { .max_replicas = 3 });

painter *painter_new(chains_ctx *ctx);
/** Paints a picture of one pixel.
 *  @param refusal fails with this; left out: doesn't fail
 *  @param picture a PNG */
chains_status painter_run_remote(painter *self, chains_ctx *ctx,
                                 const char *refusal CHAINS_OPTIONAL, chains_bytes *picture);
void painter_free(painter *self);
