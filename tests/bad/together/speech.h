#pragma once
#include <chains.h>

CHAINLET(speech, .gpu = "", .entrypoint = true);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                void *text, const char **reply, int a CHAINS_RANGE(2, 1));
