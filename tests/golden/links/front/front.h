#pragma once
#include "counter.h"
#include "store.h"

/** A service that is deployed elsewhere. */
CHAINLET_EXTERNAL(translator, .url = "https://translate.example", .path = "/v1/translate",
                  .auth = "Bearer", .secret = "translator_key");
/** Translates a text. */
chains_status translator_run_remote(translator *self, chains_ctx *ctx, const char *text,
                                    const char **translated);

/** Called from outside. */
CHAINLET(front, .entrypoint = true, .env = { { "FRONT", "1" } });
CHAINS_DEPENDS(front, store, .retries = 3, .timeout_ms = 250.5);

front *front_new(chains_ctx *ctx, store *keep, translator *translate, counter *count);
/** Stores a text, translated. */
chains_status front_run_remote(front *self, chains_ctx *ctx, const char *text,
                               const char **translated, uint64_t *calls);
void front_free(front *self);
