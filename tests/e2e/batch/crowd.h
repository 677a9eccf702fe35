#pragma once
#include "clerk.h"

/** What became of one text. */
typedef struct {
    const char *status;
    const char *reply CHAINS_OPTIONAL;
    const char *message CHAINS_OPTIONAL;
    uint32_t together;
} crowd_answer;
CHAINS_LIST(crowd_answer, crowd_answers);

/** Asks a clerk, all texts at once. */
CHAINLET(crowd, .entrypoint = true, .concurrency = 64);

crowd *crowd_new(chains_ctx *ctx, clerk *clerk_);
/** Asks.
 *  @param texts  what to ask
 *  @param gather by one thread with chains_gather, else by chains_each */
chains_status crowd_run_remote(crowd *self, chains_ctx *ctx, chains_string_list texts,
                               bool gather CHAINS_DEFAULT(false), crowd_answers *answers);
void crowd_free(crowd *self);
