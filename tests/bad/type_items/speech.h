#pragma once
#include <chains.h>

CHAINS_LIST(float *, rows);
CHAINS_MAP(void *, table);
CHAINS_STREAM(char, tokens);

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                rows a, table b, tokens *c);
void speech_free(speech *self);
