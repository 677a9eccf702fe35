#pragma once
#include "model.h"

/** Hands on to the model. */
CHAINLET(stall, .entrypoint = true, .concurrency = 4, .progress_timeout_s = 0.5);

stall *stall_new(chains_ctx *ctx, model *asked);
chains_status stall_run_remote(stall *self, chains_ctx *ctx, bool hang CHAINS_DEFAULT(false),
                               const char **said);
void stall_free(stall *self);
