#include "waiter.h"

struct waiter {
    cook *kitchen;
};

waiter *waiter_new(chains_ctx *ctx, cook *kitchen)
{
    waiter *self = chains_alloc(ctx, sizeof *self);
    self->kitchen = kitchen;
    return self;
}

chains_status waiter_run_remote(waiter *self, chains_ctx *ctx, chains_string_list dishes,
                                chains_string_list *meals)
{
    *meals = chains_string_list_new(ctx, dishes.count);
    chains_ctx *all = chains_gather(ctx);
    for (size_t i = 0; i < dishes.count; i++)
        CHAINS_TRY(cook_run_remote(self->kitchen, all, dishes.items[i], &meals->items[i]));
    return chains_wait(all);
}

void waiter_free(waiter *self)
{
    (void)self;
}
