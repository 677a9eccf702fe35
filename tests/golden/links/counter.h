#pragma once
#include <chains.h>

/** Counts calls, in C++. */
CHAINLET(counter);

counter *counter_new(chains_ctx *ctx);
/** Says how often it was called. No inputs. */
chains_status counter_run_remote(counter *self, chains_ctx *ctx, uint64_t *calls);
void counter_free(counter *self);
chains_status counter_healthy(counter *self, chains_ctx *ctx);
