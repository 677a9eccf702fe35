#pragma once
#include <chains.h>

CHAINLET(poem, .name = "speech");

poem *poem_new(chains_ctx *ctx);
chains_status poem_run_remote(poem *self, chains_ctx *ctx);
void poem_free(poem *self);
