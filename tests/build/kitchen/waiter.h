#pragma once
#include "cook.h"

/** Takes orders. */
CHAINLET(waiter, .entrypoint = true);
waiter *waiter_new(chains_ctx *ctx, cook *kitchen);
/** Serves dishes. */
chains_status waiter_run_remote(waiter *self, chains_ctx *ctx, chains_string_list dishes,
                                chains_string_list *meals);
void waiter_free(waiter *self);
