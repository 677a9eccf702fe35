#pragma once
#include <chains.h>

CHAINS_LIST(int, signals);
CHAINS_LIST(int, remove);

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                signals a, remove b);
void speech_free(speech *self);
