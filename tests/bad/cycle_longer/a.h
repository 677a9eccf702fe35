#pragma once
#include <chains.h>

typedef struct low low;

CHAINLET(high, .entrypoint = true);
high *high_new(chains_ctx *ctx, low *low_);
chains_status high_run_remote(high *self, chains_ctx *ctx);
void high_free(high *self);

CHAINLET(low);
low *low_new(chains_ctx *ctx, high *high_);
chains_status low_run_remote(low *self, chains_ctx *ctx);
void low_free(low *self);
