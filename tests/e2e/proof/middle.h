#pragma once
#include "bottom.h"

/** Hands on to bottom, with retries. */
CHAINLET(middle, .concurrency = 4);
CHAINS_DEPENDS(middle, bottom, .retries = 3);

middle *middle_new(chains_ctx *ctx, bottom *below);
chains_status middle_run_remote(middle *self, chains_ctx *ctx, const char *what, const char *marker,
                                const char **said);
void middle_free(middle *self);
