#pragma once
#include "speech.h"

CHAINLET(poem);

poem *poem_new(chains_ctx *ctx, speech *voice);
chains_status poem_run_remote(poem *self, chains_ctx *ctx);
void poem_free(poem *self);

CHAINS_DEPENDS(poem, speech, .idempotent = true, .hedge_ms = 20);
