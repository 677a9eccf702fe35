/* The near end of the chain. */
#pragma once
#include "bytes_worker.h"

/** Hands on what it is asked. */
CHAINLET(bytes_entry, .concurrency = 64);

bytes_entry *bytes_entry_new(chains_ctx *ctx, bytes_worker *worker);
chains_status bytes_entry_run_remote(bytes_entry *self, chains_ctx *ctx, chains_bytes data,
                                     chains_bytes *sample);
void bytes_entry_free(bytes_entry *self);
