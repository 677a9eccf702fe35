#pragma once
#include <chains.h>

CHAINLET(speech, .assets = { { "https://h/a", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "a" },
                     { "https://h/b", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "a" } });

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx);
void speech_free(speech *self);
