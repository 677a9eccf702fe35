#pragma once
#include <chains.h>

/** Takes as much memory as it is told to. */
CHAINLET(eater, .memory = "256Mi", .cpu = 1, .concurrency = 16);
eater *eater_new(chains_ctx *ctx);
/** Takes mib MiB, and waits while there is the file that gate names.
 *  @param gate a path; "" is none */
chains_status eater_run_remote(eater *self, chains_ctx *ctx, int mib, const char *gate,
                               const char **said);
void eater_free(eater *self);
