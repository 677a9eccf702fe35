#pragma once
#include <chains.h>

/** Says where it runs. */
CHAINLET(worker, .concurrency = 4);

worker *worker_new(chains_ctx *ctx);
/** @param name what the call is called in the log, once it runs
 *  @param pause_ms how long it runs
 *  @param where the host name of the pod */
chains_status worker_run_remote(worker *self, chains_ctx *ctx, const char *name,
                                int pause_ms CHAINS_DEFAULT(0), const char **where);
void worker_free(worker *self);
