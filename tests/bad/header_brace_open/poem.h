#pragma once
#include <chains.h>

CHAINLET(poem);

poem *poem_new(chains_ctx *ctx);
chains_status poem_run_remote(poem *self, chains_ctx *ctx);
