#pragma once
#include "oven.h"

/** Needs a library that no machine has. */
CHAINLET(cook,
         .image = { .apt = { "libimaginary7", "imaginary-data" }, .pkg_config = { "imaginary" } });
cook *cook_new(chains_ctx *ctx, oven *heat);
/** Cooks. */
chains_status cook_run_remote(cook *self, chains_ctx *ctx, const char *dish, const char **meal);
void cook_free(cook *self);
