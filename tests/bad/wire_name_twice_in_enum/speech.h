#pragma once
#include <chains.h>

typedef enum { ROLE_USER CHAINS_NAME("user"), ROLE_MODEL CHAINS_NAME("user") } role;

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                role who);
void speech_free(speech *self);
