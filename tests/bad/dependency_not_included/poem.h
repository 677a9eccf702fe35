#pragma once
#include <chains.h>
#include "voice.h"

CHAINLET(poem);

poem *poem_new(chains_ctx *ctx, voice *voice_);
chains_status poem_run_remote(poem *self, chains_ctx *ctx);
void poem_free(poem *self);
