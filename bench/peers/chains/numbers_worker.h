/* The far end of the chain. */
#pragma once
#include <chains.h>

/** Answers numbers with their sum. */
CHAINLET(numbers_worker, .concurrency = 16);

numbers_worker *numbers_worker_new(chains_ctx *ctx);
chains_status numbers_worker_run_remote(numbers_worker *self, chains_ctx *ctx,
                                        chains_double_list values, double *sum);
void numbers_worker_free(numbers_worker *self);
