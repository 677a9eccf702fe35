#pragma once
#include <chains.h>

typedef struct {
    int good;
    void *bad;
} inner;
CHAINS_LIST(inner, inners);
typedef struct {
    inners deep;
} outer;

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                const outer *what);
void speech_free(speech *self);
