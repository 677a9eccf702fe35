#pragma once
#include <chains.h>

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                int a CHAINS_NAME("top \"K\""), int b CHAINS_NAME("a\\b"), int c CHAINS_NAME("a\tb"));
void speech_free(speech *self);
