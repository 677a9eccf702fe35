#pragma once
#include <chains.h>

typedef enum { read, KIND_WRITE } kind;

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                kind a);
void speech_free(speech *self);
