#pragma once
#include "inner.h"

/** Reads a file, and has another one read in its process. */
CHAINLET(reader, .entrypoint = true,
         .assets = {
             { .url = "http://SITE/word", .sha256 = "DIGEST_OF_WORD", .path = "word.txt" } });
CHAINS_DEPENDS(reader, inner, .colocate = true);

reader *reader_new(chains_ctx *ctx, inner *asked);
/** @param name   the asset
 *  @param word   what stands in it
 *  @param other  what inner reads */
chains_status reader_run_remote(reader *self, chains_ctx *ctx,
                                const char *name CHAINS_DEFAULT("word.txt"), const char **word,
                                const char **other);
void reader_free(reader *self);
