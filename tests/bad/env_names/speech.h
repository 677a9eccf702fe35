#pragma once
#include <chains.h>

CHAINLET(speech, .env = { { "1ST", "x" }, { "A B", "x" }, { "CHAINS_URL", "x" }, { "OK", "1" }, { "OK", "2" },
                  { "EMPTY" }, { .value = "x" } });

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx);
void speech_free(speech *self);
