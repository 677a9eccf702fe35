#pragma once
#include <chains.h>

/** Answers texts, several at once. */
CHAINLET(clerk, .batch = { .max_size = 64, .max_wait_us = 10000000 });

clerk *clerk_new(chains_ctx *ctx);
/** Answers one.
 *  @param text     what begins with "quick" takes no time; "missing" is NOT_FOUND, "throw" throws
 *  @param reply    the text between brackets
 *  @param together how many were answered with it */
chains_status clerk_run_remote(clerk *self, chains_ctx *ctx, const char *text, const char **reply,
                               uint32_t *together);
chains_status clerk_run_batch(clerk *self, chains_ctx *const calls[], size_t count,
                              const char *const text[], const char *reply[], uint32_t together[]);
void clerk_free(clerk *self);
