/* The far end of the chain. */
#pragma once
#include <chains.h>

/** Answers bytes with the first of each page. */
CHAINLET(bytes_worker, .concurrency = 16);

bytes_worker *bytes_worker_new(chains_ctx *ctx);
chains_status bytes_worker_run_remote(bytes_worker *self, chains_ctx *ctx, chains_bytes data,
                                      chains_bytes *sample);
void bytes_worker_free(bytes_worker *self);
