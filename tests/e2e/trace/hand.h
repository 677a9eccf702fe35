#pragma once
#include <chains.h>

/** Holds a bag. */
CHAINLET(hand, .concurrency = 4);

hand *hand_new(chains_ctx *ctx);
/** @param stumble every second time it is asked to, it fails in a way that gets better
 *  @param drop    it fails for good */
chains_status hand_run_remote(hand *self, chains_ctx *ctx, int bag, bool stumble, bool drop,
                              int *carried);
void hand_free(hand *self);
