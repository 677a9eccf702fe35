#pragma once
#include <chains.h>

struct handle;

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                const struct handle *handle);
void speech_free(speech *self);
