#pragma once
#include "inner.h"

/** Tells secrets to whoever asks, and to its log. */
CHAINLET(teller, .entrypoint = true, .secrets = { "word" },
         .autoscaling = { .min_replicas = 3, .max_replicas = 3 });
CHAINS_DEPENDS(teller, inner, .colocate = true);

teller *teller_new(chains_ctx *ctx, inner *asked);
/** @param name   the secret
 *  @param inner  what inner is asked about
 *  @param value  what it is
 *  @param same   what inner says */
chains_status teller_run_remote(teller *self, chains_ctx *ctx,
                                const char *name CHAINS_DEFAULT("word"),
                                const char *inner CHAINS_DEFAULT(""), const char **value,
                                bool *same);
void teller_free(teller *self);
