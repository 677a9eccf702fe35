#pragma once
#include <chains.h>

/** The same, one call at a time. */
CHAINLET(taster, .memory = "256Mi", .concurrency = 1);
taster *taster_new(chains_ctx *ctx);
/** Takes mib MiB, and waits while there is the file that gate names.
 *  @param gate a path; "" is none */
chains_status taster_run_remote(taster *self, chains_ctx *ctx, int mib, const char *gate,
                                const char **said);
void taster_free(taster *self);
