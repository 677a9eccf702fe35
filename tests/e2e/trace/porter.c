#include "porter.h"

struct porter {
    hand *hand;
};

porter *porter_new(chains_ctx *ctx, hand *hand)
{
    porter *self = chains_alloc(ctx, sizeof *self);
    self->hand = hand;
    return self;
}

chains_status porter_run_remote(porter *self, chains_ctx *ctx, int bag, bool stumble, bool drop,
                                int *carried)
{
    CHAINS_TRY(hand_run_remote(self->hand, ctx, bag, stumble, drop, carried));
    return CHAINS_OK;
}

void porter_free(porter *self)
{
    (void)self;
}
