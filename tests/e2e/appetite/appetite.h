#pragma once
#include "eater.h"
#include "taster.h"

/** Has others take memory. */
CHAINLET(appetite, .entrypoint = true, .concurrency = 16);
appetite *appetite_new(chains_ctx *ctx, eater *eats, taster *tastes);
/** Calls count times at once, and tells what the first says.
 *  @param count calls of one gather; 1 is a plain call
 *  @param one   whether it is the one that takes one call at a time */
chains_status appetite_run_remote(appetite *self, chains_ctx *ctx, int mib,
                                  const char *gate CHAINS_DEFAULT(""),
                                  int count CHAINS_DEFAULT(1) CHAINS_RANGE(1, 100),
                                  bool one CHAINS_DEFAULT(false), const char **said);
void appetite_free(appetite *self);
