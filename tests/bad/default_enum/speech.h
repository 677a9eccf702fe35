#pragma once
#include <chains.h>

typedef enum { ROLE_USER, ROLE_MODEL } role;

CHAINLET(speech);

speech *speech_new(chains_ctx *ctx);
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                role a CHAINS_DEFAULT(7), role b CHAINS_DEFAULT(ROLE_USRE));
void speech_free(speech *self);
