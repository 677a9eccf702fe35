#pragma once
#include <chains.h>

/** Gives back what it got. */
CHAINLET(quiet);

quiet *quiet_new(chains_ctx *ctx);
chains_status quiet_run_remote(quiet *self, chains_ctx *ctx, const char *text, const char **answer);
void quiet_free(quiet *self);
