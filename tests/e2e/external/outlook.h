#pragma once
#include "weather.h"

/** Puts the weather in words. */
CHAINLET(outlook, .entrypoint = true);

outlook *outlook_new(chains_ctx *ctx, weather *forecast);
chains_status outlook_run_remote(outlook *self, chains_ctx *ctx, const char *city,
                                 const char **text);
void outlook_free(outlook *self);
