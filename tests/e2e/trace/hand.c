#include "hand.h"

#include <stdatomic.h>

struct hand {
    atomic_uint stumbles;
};

hand *hand_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, sizeof(hand));
}

chains_status hand_run_remote(hand *self, chains_ctx *ctx, int bag, bool stumble, bool drop,
                              int *carried)
{
    if (stumble && atomic_fetch_add(&self->stumbles, 1) % 2 == 0)
        return chains_fail(ctx, CHAINS_UNAVAILABLE, "stumbled with bag %d", bag);
    if (drop)
        return chains_fail(ctx, CHAINS_FAILED_PRECONDITION, "dropped bag %d", bag);
    *carried = bag;
    return CHAINS_OK;
}

void hand_free(hand *self)
{
    (void)self;
}
