#pragma once
#include "branch.h"

/** Starts many branches and waits for all. */
CHAINLET(tree, .entrypoint = true);
CHAINS_DEPENDS(tree, branch, .concurrency_limit = 500);

tree *tree_new(chains_ctx *ctx, branch *below);
chains_status tree_run_remote(tree *self, chains_ctx *ctx, const char *notes, int branches,
                              bool told);
void tree_free(tree *self);
