#pragma once
#include <chains.h>

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                const char *a CHAINS_ONE_OF("x", 3), int b CHAINS_ONE_OF(1, 2, 1), const char *c CHAINS_ONE_OF("x", "y", "x"));
void speech_free(speech *self);
