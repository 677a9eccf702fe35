#pragma once
#include <chains.h>

typedef struct {
} nothing;

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                const nothing *what);
void speech_free(speech *self);
