/* The client of the chain: a Chainlet that calls the others. */
#pragma once
#include "bytes_entry.h"
#include "echo_entry.h"
#include "fan_entry.h"
#include "numbers_entry.h"

/** Reads commands from its standard input and makes the calls that they ask for. */
CHAINLET(caller, .sources = { "load.c", "calls.c" });

caller *caller_new(chains_ctx *ctx, echo_entry *echo, echo_worker *hop, bytes_entry *bytes,
                   numbers_entry *numbers, fan_entry *fan);
chains_status caller_run_remote(caller *self, chains_ctx *ctx, bool *reading);
void caller_free(caller *self);
