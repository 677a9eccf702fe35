#pragma once
#include <chains.h>

CHAINLET(index);

index *index_new(chains_ctx *ctx);
chains_status index_run_remote(index *self, chains_ctx *ctx);
void index_free(index *self);
