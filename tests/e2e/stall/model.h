#pragma once
#include <chains.h>

/** Answers at once, or never. */
CHAINLET(model, .progress_timeout_s = 1);

model *model_new(chains_ctx *ctx);
/** @param hang whether it never answers, and doesn't ask whether anybody still waits */
chains_status model_run_remote(model *self, chains_ctx *ctx, bool hang, const char **said);
void model_free(model *self);
