#pragma once
#include <chains.h>

typedef enum { ROLE_USER, ROLE_MODEL } role;

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                bool a CHAINS_ONE_OF(true), role b CHAINS_ONE_OF(ROLE_USER), chains_bytes c CHAINS_ONE_OF("x"));
void speech_free(speech *self);
