#pragma once
#include <chains.h>
#include "llama_that_is_not_here.h"

LLAMA_API llama_model *load(void);

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                llama_token first, const char **reply);
void speech_free(speech *self);
