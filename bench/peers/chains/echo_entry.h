/* The near end of the chain. */
#pragma once
#include "echo_worker.h"

/** Hands on what it is asked. */
CHAINLET(echo_entry, .concurrency = 64);

echo_entry *echo_entry_new(chains_ctx *ctx, echo_worker *worker);
chains_status echo_entry_run_remote(echo_entry *self, chains_ctx *ctx, const char *text,
                                    const char **reply);
void echo_entry_free(echo_entry *self);
