#pragma once
#include <chains.h>

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                int a CHAINS_RANGE(1, 5) CHAINS_DEFAULT(0),
                         const char *b CHAINS_LENGTH(1, 3) CHAINS_DEFAULT("ünïcö"),
                         const char *c CHAINS_ONE_OF("wav", "mp3") CHAINS_DEFAULT("ogg"),
                         double d CHAINS_ONE_OF(0.5, 1) CHAINS_DEFAULT(0.25));
void speech_free(speech *self);
