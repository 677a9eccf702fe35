#pragma once
#include <chains.h>

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                const char *a CHAINS_RANGE(1, 2), bool b CHAINS_RANGE(0, 1), chains_int32_list c CHAINS_RANGE(0, 1));
void speech_free(speech *self);
