#pragma once
#include "hand.h"

/** Carries a bag. */
CHAINLET(porter, .concurrency = 4);
CHAINS_DEPENDS(porter, hand, .retries = 2);

porter *porter_new(chains_ctx *ctx, hand *hand);
chains_status porter_run_remote(porter *self, chains_ctx *ctx, int bag, bool stumble, bool drop,
                                int *carried);
void porter_free(porter *self);
