#pragma once
#include "speech.h"

CHAINLET(poem);

poem *poem_new(chains_ctx *ctx);
chains_status poem_run_remote(poem *self, chains_ctx *ctx,
                              speech *voice, bool loud);
void poem_free(poem *self);
