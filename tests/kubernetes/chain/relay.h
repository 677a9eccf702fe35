#pragma once
#include "worker.h"

/** Hands on to a worker. */
CHAINLET(relay, .entrypoint = true, .concurrency = 16);

relay *relay_new(chains_ctx *ctx, worker *asked);
chains_status relay_run_remote(relay *self, chains_ctx *ctx, const char *name,
                               int pause_ms CHAINS_DEFAULT(0), const char **where);
void relay_free(relay *self);
