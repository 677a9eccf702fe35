#pragma once
#include <chains.h>

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                uint8_t a CHAINS_DEFAULT(300), unsigned b CHAINS_DEFAULT(-1), int c CHAINS_DEFAULT(1.5));
void speech_free(speech *self);
