#pragma once
#include <chains.h>

/** Uses version 1 of the library. */
CHAINLET(old_shape, .cflags = { "-Iold" }, .libs = { "-Lold", "-lshape" });

old_shape *old_shape_new(chains_ctx *ctx);
/** Measures. */
chains_status old_shape_run_remote(old_shape *self, chains_ctx *ctx, int32_t side, int32_t *area);
void old_shape_free(old_shape *self);
