#pragma once
#include <chains.h>

typedef struct node {
    int value;
    struct node next;
} node;
typedef struct {
    int id;
    node first;
} words;

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                const words *said);
void speech_free(speech *self);
