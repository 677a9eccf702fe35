#pragma once
#include <chains.h>

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                float a CHAINS_DEFAULT("x"), const char *b CHAINS_DEFAULT(3), bool c CHAINS_DEFAULT("yes"));
void speech_free(speech *self);
