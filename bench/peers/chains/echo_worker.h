/* The far end of the chain. */
#pragma once
#include <chains.h>

/** Answers a text with that text. */
CHAINLET(echo_worker, .concurrency = 16);

echo_worker *echo_worker_new(chains_ctx *ctx);
chains_status echo_worker_run_remote(echo_worker *self, chains_ctx *ctx, const char *text,
                                     const char **reply);
void echo_worker_free(echo_worker *self);
