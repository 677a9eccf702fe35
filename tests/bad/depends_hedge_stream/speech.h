#pragma once
#include <chains.h>

CHAINS_STREAM(const char *, speech_words);

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx, const char *text,
                                speech_words *words);
void speech_free(speech *self);
