#pragma once
#include <chains.h>

/** In the process of whoever calls it. */
CHAINLET(tokens, .secrets = { "licence", "hf_token" });
tokens *tokens_new(chains_ctx *ctx);
chains_status tokens_run_remote(tokens *self, chains_ctx *ctx, const char *text, int *count);
void tokens_free(tokens *self);
