#pragma once
#include "back.h"

/** Calls back many times at once; without retries and timeouts, so that nothing hides a call that is stuck. */
CHAINLET(front, .entrypoint = true, .concurrency = 4);
front *front_new(chains_ctx *ctx, back *dependency);
/** Calls back count times.
 *  @param count   calls at once
 *  @param work_ms what each of them takes
 *  @param pids    the processes that answered */
chains_status front_run_remote(front *self, chains_ctx *ctx, int count CHAINS_RANGE(1, 1000),
                               int work_ms, chains_int32_list *pids);
void front_free(front *self);
