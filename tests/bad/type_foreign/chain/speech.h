#pragma once
#include <chains.h>
#include "../library.h"

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                const device *from, device *to);
void speech_free(speech *self);
