#pragma once
#include <chains.h>

typedef struct {
    int id;
    int16_t level CHAINS_DEFAULT(40000); /* too large */
} words;

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                const words *said);
void speech_free(speech *self);
