#pragma once
#include <chains.h>

CHAINS_STREAM(const char *, tokens);
typedef struct {
    int id;
    tokens out;
} words;

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                const words *said);
void speech_free(speech *self);
