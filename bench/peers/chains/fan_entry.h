/* The near end of the fan-out. */
#pragma once
#include "echo_worker.h"

/** Makes many calls at once. */
CHAINLET(fan_entry, .concurrency = 64);

fan_entry *fan_entry_new(chains_ctx *ctx, echo_worker *worker);
chains_status fan_entry_run_remote(fan_entry *self, chains_ctx *ctx, const char *text,
                                   int32_t count CHAINS_RANGE(0, 100000), int32_t *matched);
void fan_entry_free(fan_entry *self);
