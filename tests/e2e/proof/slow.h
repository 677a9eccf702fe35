#pragma once
#include <chains.h>

/** Works until it is cancelled. */
CHAINLET(slow, .concurrency = 64);

slow *slow_new(chains_ctx *ctx);
/** @param noted a file that is made when the call was cancelled; "" for none */
chains_status slow_run_remote(slow *self, chains_ctx *ctx, const char *noted);
void slow_free(slow *self);
