#pragma once
#include <chains.h>

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                int a CHAINS_RANGE(5), int b CHAINS_RANGE(1, 2, 3), uint8_t c CHAINS_RANGE(0, 300),
                         int d CHAINS_RANGE("a", "b"), int e CHAINS_RANGE(0, LARGEST));
void speech_free(speech *self);
