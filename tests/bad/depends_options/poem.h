#pragma once
#include "speech.h"

CHAINLET(poem);

poem *poem_new(chains_ctx *ctx, speech *voice);
chains_status poem_run_remote(poem *self, chains_ctx *ctx);
void poem_free(poem *self);

CHAINS_DEPENDS(poem, speech, .retries = -1, .timeout_ms = 0.0 / 0.0, .concurrency_limit = -7,
               .hedge_ms = 20, .stream_gap_ms = -0.5, .colocate = true, .near = true);
