/* The client of FastAPI's services: a Chainlet as well. It costs less than a client in Python
 * would, which is in favour of FastAPI. */
#pragma once
#include "fastapi.h"

/** Reads commands from its standard input and makes the calls that they ask for. */
CHAINLET(fastapi_caller, .sources = { "load.c", "calls.c" });

fastapi_caller *fastapi_caller_new(chains_ctx *ctx, fastapi_echo *echo, fastapi_hop *hop,
                                   fastapi_bytes *bytes, fastapi_numbers *numbers,
                                   fastapi_fan *fan);
chains_status fastapi_caller_run_remote(fastapi_caller *self, chains_ctx *ctx, bool *reading);
void fastapi_caller_free(fastapi_caller *self);
