#pragma once
#include <chains.h>

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx);
void speech_free(speech *self);
