#pragma once
#include <chains.h>

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
/** Says it.
 *  @param test what to say */
chains_status speech_run_remote(speech *self, chains_ctx *ctx, const char *text);
void speech_free(speech *self);
