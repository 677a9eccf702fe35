#pragma once
#include <chains.h>

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                int a CHAINS_RANGE(1, 2) CHAINS_RANGE(1, 3), const char *b CHAINS_OPTIONAL CHAINS_OPTIONAL);
void speech_free(speech *self);
