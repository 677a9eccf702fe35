/* The near end of the chain. */
#pragma once
#include "numbers_worker.h"

/** Hands on what it is asked. */
CHAINLET(numbers_entry, .concurrency = 64);

numbers_entry *numbers_entry_new(chains_ctx *ctx, numbers_worker *worker);
chains_status numbers_entry_run_remote(numbers_entry *self, chains_ctx *ctx,
                                       chains_double_list values, double *sum);
void numbers_entry_free(numbers_entry *self);
