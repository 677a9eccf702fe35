#pragma once
#include <chains.h>

CHAINLET(chains_speech);

chains_speech *chains_speech_new(chains_ctx *ctx);
chains_status chains_speech_run_remote(chains_speech *self, chains_ctx *ctx);
void chains_speech_free(chains_speech *self);
