#pragma once
#include "counter.h"

/** Keeps what it is given. */
CHAINLET(store);
CHAINS_DEPENDS(store, counter, .colocate = true);

store *store_new(chains_ctx *ctx, counter *calls);
/** Takes a text; gives nothing. */
chains_status store_run_remote(store *self, chains_ctx *ctx, const char *text);
void store_free(store *self);
