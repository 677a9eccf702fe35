#pragma once
#include <chains.h>

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                int a, int b CHAINS_NAME("a"), int *c, int *d CHAINS_NAME("c"));
void speech_free(speech *self);
