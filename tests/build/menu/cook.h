#pragma once
#include <chains.h>

/** Cooks, with a secret. */
CHAINLET(cook, .secrets = { "recipe", "spice" }, .env = { { "COOK_STYLE", "plain" } });
cook *cook_new(chains_ctx *ctx);
/** Cooks. */
chains_status cook_run_remote(cook *self, chains_ctx *ctx, const char *dish, const char **meal);
void cook_free(cook *self);
