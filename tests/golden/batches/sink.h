#pragma once
#include <chains.h>

/** Takes, and gives nothing. */
CHAINLET(sink, .batch = { .max_size = 1024 });

sink *sink_new(chains_ctx *ctx);
chains_status sink_run_remote(sink *self, chains_ctx *ctx, const char *text);
chains_status sink_run_batch(sink *self, chains_ctx *const calls[], size_t count,
                             const char *const text[]);
void sink_free(sink *self);
