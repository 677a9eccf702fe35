#pragma once
#include <chains.h>

/** Reads a file of its own; SITE and the digests are filled in by the test. */
CHAINLET(inner,
         .assets = {
             { .url = "http://SITE/inner", .sha256 = "DIGEST_OF_INNER", .path = "texts/inner.txt" },
             { .url = "http://SITE/word", .sha256 = "DIGEST_OF_WORD", .path = "word.txt" } });

inner *inner_new(chains_ctx *ctx);
/** @param text what stands in the file */
chains_status inner_run_remote(inner *self, chains_ctx *ctx, const char **text);
void inner_free(inner *self);
