#pragma once
#include "voice.h"
#include "types.h"

CHAINLET(speech);
speech *speech_new(chains_ctx *ctx, voice *the_voice);
chains_status speech_run_remote(speech *self, chains_ctx *ctx, rates which, double *seconds);
void speech_free(speech *self);
