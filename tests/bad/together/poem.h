#pragma once
#include "speech.h"

CHAINLET(poem, .memory = "lots", .entrypoint = true);

poem *poem_new(speech *voice);
chains_status poem_run_remote(poem *self, chains_ctx *ctx);
void poem_free(poem *self);
