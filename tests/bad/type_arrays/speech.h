#pragma once
#include <chains.h>

typedef struct {
    int id;
    float v[3];
    char name[32];
    int matrix[2][2];
    const char *texts[4];
} words;

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                const words *said);
void speech_free(speech *self);
