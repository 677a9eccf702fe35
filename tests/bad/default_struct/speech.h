#pragma once
#include <chains.h>

typedef struct {
    int id;
} words;

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                words a CHAINS_DEFAULT({ .idd = 3 }), words b CHAINS_DEFAULT({ 1, 2 }));
void speech_free(speech *self);
