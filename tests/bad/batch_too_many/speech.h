#pragma once
#include <chains.h>

CHAINLET(speech, .batch = { .max_size = 8 });

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                const char *text, int32_t rate, float *score);
void speech_free(speech *self);
chains_status speech_run_batch(speech *self, chains_ctx *const calls[], size_t count,
                               const char *const text[], const int32_t rate[], float score[],
                               float weight[]);
