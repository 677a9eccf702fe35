#pragma once
#include <chains.h>

/** Does the work. */
CHAINLET(crumb, .concurrency = 4, .autoscaling = { .min_replicas = 4 });
crumb *crumb_new(chains_ctx *ctx);
/** Takes work_us microseconds, unless it is cancelled, and adds up the bytes of payload. */
chains_status crumb_run_remote(crumb *self, chains_ctx *ctx, int work_us, chains_bytes payload,
                               bool fail, uint64_t *sum);
void crumb_free(crumb *self);
