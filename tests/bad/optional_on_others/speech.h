#pragma once
#include <chains.h>

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                int a CHAINS_OPTIONAL, chains_string_list b CHAINS_OPTIONAL, const int *c CHAINS_OPTIONAL,
                         bool *d CHAINS_OPTIONAL);
void speech_free(speech *self);
