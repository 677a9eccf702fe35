#pragma once
#include <chains.h>

/** Numbers calls, in C++. */
CHAINLET(ticket, .batch = { .max_size = 4 });

ticket *ticket_new(chains_ctx *ctx);
/** No inputs. */
chains_status ticket_run_remote(ticket *self, chains_ctx *ctx, uint64_t *number);
chains_status ticket_run_batch(ticket *self, chains_ctx *const calls[], size_t count,
                               uint64_t number[]);
void ticket_free(ticket *self);
