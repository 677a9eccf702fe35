#pragma once
#include <chains.h>

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                int a CHAINS_RANGE(1, 5) CHAINS_ONE_OF(1, 9), const char *b CHAINS_LENGTH(2, 3) CHAINS_ONE_OF("wav", "x"));
void speech_free(speech *self);
