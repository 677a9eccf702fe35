#pragma once
#include <chains.h>

CHAINS_STREAM(const char *, singer_lines);

/** Sings. */
CHAINLET(singer);

singer *singer_new(chains_ctx *ctx);
chains_status singer_run_remote(singer *self, chains_ctx *ctx, int lines, singer_lines *song);
void singer_free(singer *self);
