#pragma once
#include <chains.h>

typedef struct {
    int kind;
} role;

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                const role *role);
void speech_free(speech *self);
