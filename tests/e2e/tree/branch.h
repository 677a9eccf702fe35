#pragma once
#include "leaf.h"

/** Waits for one leaf. */
CHAINLET(branch, .concurrency = 500);
CHAINS_DEPENDS(branch, leaf, .concurrency_limit = 500);

branch *branch_new(chains_ctx *ctx, leaf *below);
chains_status branch_run_remote(branch *self, chains_ctx *ctx, const char *notes, bool told);
void branch_free(branch *self);
