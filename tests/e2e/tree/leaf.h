#pragma once
#include <chains.h>

/** Runs until nobody waits for it any more. */
CHAINLET(leaf, .concurrency = 500);

leaf *leaf_new(chains_ctx *ctx);
/** @param notes where it notes that it has begun (NOTES.leaf.begun, a byte a call), and when it was
 *               cancelled (NOTES.leaf.ended, nanoseconds of CLOCK_MONOTONIC, eight bytes a call)
 *  @param told  it sleeps until chains_on_cancel tells it, as in a library that blocks; else it asks every 4 ms */
chains_status leaf_run_remote(leaf *self, chains_ctx *ctx, const char *notes, bool told);
void leaf_free(leaf *self);
