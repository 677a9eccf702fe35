/* What both callers share: a load whose calls are those of Chainlets. */
#pragma once
#include <chains.h>

/* One function a method; self is what calls_start was given. */
typedef struct calls {
    chains_status (*hop)(void *self, chains_ctx *ctx, const char *text, const char **reply);
    chains_status (*echo)(void *self, chains_ctx *ctx, const char *text, const char **reply);
    chains_status (*bytes)(void *self, chains_ctx *ctx, chains_bytes data, chains_bytes *sample);
    chains_status (*numbers)(void *self, chains_ctx *ctx, chains_double_list values, double *sum);
    chains_status (*fan)(void *self, chains_ctx *ctx, const char *text, int32_t count,
                         int32_t *matched);
} calls;

/* Starts the thread that reads commands and makes the calls, each with a ctx of its own, as a
 * request has. Once a process, which ends with its standard input. False after chains_fail on ctx.
 * methods and self: kept. */
bool calls_start(chains_ctx *ctx, const calls *methods, void *self);
