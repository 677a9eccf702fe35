#pragma once
#include "part.h"

/** Fans out over parts, each of which fans out over crumbs, and adds up what comes back. */
CHAINLET(soak, .entrypoint = true, .concurrency = 16, .autoscaling = { .min_replicas = 2 });
CHAINS_DEPENDS(soak, part, .retries = 1);
soak *soak_new(chains_ctx *ctx, part *dependency);
/** Calls part once for each of width.
 *  @param width   calls of part
 *  @param depth   calls of crumb that each of them makes
 *  @param work_us microseconds that a crumb takes
 *  @param payload given to every crumb, and taken into the sum
 *  @param fail    a crumb that fails, counted over all; -1: none
 *  @param sum     of what the crumbs have seen */
chains_status soak_run_remote(soak *self, chains_ctx *ctx, int width CHAINS_RANGE(0, 64),
                              int depth CHAINS_RANGE(0, 64), int work_us CHAINS_RANGE(0, 1000000),
                              chains_bytes payload, int fail CHAINS_DEFAULT(-1), uint64_t *sum);
void soak_free(soak *self);
