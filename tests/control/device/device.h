#pragma once
#include <chains.h>

/** Runs on a GPU. */
CHAINLET(device, .gpu = "A10G");
device *device_new(chains_ctx *ctx);
/** Says what it sees. */
chains_status device_run_remote(device *self, chains_ctx *ctx, const char **seen);
void device_free(device *self);
