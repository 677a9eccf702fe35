#pragma once
#include <chains.h>

/** Uses version 2 of the library. */
CHAINLET(new_shape, .cflags = { "-Inew" }, .libs = { "-Lnew", "-lshape" });

new_shape *new_shape_new(chains_ctx *ctx);
/** Measures. */
chains_status new_shape_run_remote(new_shape *self, chains_ctx *ctx, int32_t side, int32_t *area);
void new_shape_free(new_shape *self);
