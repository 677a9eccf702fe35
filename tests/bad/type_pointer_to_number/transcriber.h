#pragma once
#include <chains.h>

CHAINLET(transcriber);

transcriber *transcriber_new(chains_ctx *ctx);
chains_status transcriber_run_remote(
    transcriber *self,
    chains_ctx *ctx,
    float *samples,
    int rate,
    const char **text);
void transcriber_free(transcriber *self);
