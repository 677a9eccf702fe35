#pragma once
#include <chains.h>

extern int current;

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                int a CHAINS_DEFAULT(current));
void speech_free(speech *self);
