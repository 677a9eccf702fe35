#pragma once
#include "device.h"

/** Asks what the device sees. */
CHAINLET(desk, .entrypoint = true);
desk *desk_new(chains_ctx *ctx, device *asked);
chains_status desk_run_remote(desk *self, chains_ctx *ctx, const char **seen);
void desk_free(desk *self);
