#pragma once
#include <chains.h>

CHAINS_STREAM(const char *, tokens);

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                tokens *first, tokens *second);
void speech_free(speech *self);
