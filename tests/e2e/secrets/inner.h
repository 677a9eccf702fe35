#pragma once
#include <chains.h>

/** Tells whether a word is its own secret. */
CHAINLET(inner, .secrets = { "inner_word" });

inner *inner_new(chains_ctx *ctx);
/** @param word what to compare
 *  @param same whether it is the secret */
chains_status inner_run_remote(inner *self, chains_ctx *ctx, const char *word, bool *same);
void inner_free(inner *self);
