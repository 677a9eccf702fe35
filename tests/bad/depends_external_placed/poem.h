#pragma once
#include "voice.h"

CHAINLET(poem);

poem *poem_new(chains_ctx *ctx, voice *the_voice);
chains_status poem_run_remote(poem *self, chains_ctx *ctx);
void poem_free(poem *self);

CHAINS_DEPENDS(poem, voice, .colocate = true, .near = true);
