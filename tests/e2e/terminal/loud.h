#pragma once
#include "quiet.h"

/** Says things that a terminal would obey. */
CHAINLET(loud, .entrypoint = true, .cpu = 0.5);
CHAINS_DEPENDS(loud, quiet, .retries = 1, .timeout_ms = 5000);

loud *loud_new(chains_ctx *ctx, quiet *quiet);
/** @param fails it ends with a message of that kind, too */
chains_status loud_run_remote(loud *self, chains_ctx *ctx, const char *text, bool fails,
                              const char **answer);
void loud_free(loud *self);
