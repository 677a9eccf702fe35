#pragma once
#include <chains.h>

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
CHAINLET(speech, .assets = { { "https://h/a", DIGEST, "./a" },
                     { "https://h/b", DIGEST, "b//c" },
                     { "https://h/c", DIGEST, "d/" },
                     { "https://h/d", DIGEST, "e" },
                     { "https://h/e", DIGEST, "e/f" } });

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx);
void speech_free(speech *self);
