#pragma once
#include <chains.h>

/** Runs until nobody waits for it any more. */
CHAINLET(leaf, .concurrency = 500);

leaf *leaf_new(chains_ctx *ctx);
/** @param notes where it notes that it has begun (NOTES.leaf.begun, a byte a call), and when it was
 *               cancelled (NOTES.leaf.ended, nanoseconds of CLOCK_MONOTONIC, eight bytes a call) */
chains_status leaf_run_remote(leaf *self, chains_ctx *ctx, const char *notes);
void leaf_free(leaf *self);
