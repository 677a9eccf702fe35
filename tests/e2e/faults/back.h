#pragma once
#include <chains.h>

/** Says which process it is. */
CHAINLET(back, .concurrency = 2, .autoscaling = { .min_replicas = 3 });
back *back_new(chains_ctx *ctx);
/** Sleeps for work_ms, and answers with its process. */
chains_status back_run_remote(back *self, chains_ctx *ctx, int work_ms, int32_t *pid);
void back_free(back *self);
