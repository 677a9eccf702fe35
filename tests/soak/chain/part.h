#pragma once
#include "crumb.h"

/** Fans out over crumbs. */
CHAINLET(part, .concurrency = 8, .autoscaling = { .min_replicas = 2 });
CHAINS_DEPENDS(part, crumb, .retries = 2, .timeout_ms = 5000, .idempotent = true);
part *part_new(chains_ctx *ctx, crumb *dependency);
/** Calls crumb depth times, the calls numbered from 0; that of the number fail fails. */
chains_status part_run_remote(part *self, chains_ctx *ctx, int depth, int work_us,
                              chains_bytes payload, int fail, uint64_t *sum);
void part_free(part *self);
