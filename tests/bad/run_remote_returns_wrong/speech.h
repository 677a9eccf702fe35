#pragma once
#include <chains.h>

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
int speech_run_remote(speech *self, chains_ctx *ctx);
void speech_free(speech *self);
