#pragma once
#include <chains.h>

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                int a CHAINS_RANGE(5, 1), double b CHAINS_RANGE(0.5, 0.25));
void speech_free(speech *self);
