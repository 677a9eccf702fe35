#pragma once
#include <chains.h>

typedef struct {
    int value;
} stat;

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                const stat *a);
void speech_free(speech *self);
