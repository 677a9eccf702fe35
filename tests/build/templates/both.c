#include "both.h"

struct both {
    left *l;
    right *r;
};

both *both_new(chains_ctx *ctx, left *l, right *r)
{
    both *self = chains_alloc(ctx, sizeof *self);
    *self = (both){ l, r };
    return self;
}

chains_status both_run_remote(both *self, chains_ctx *ctx, int32_t count,
                              chains_int32_list *answers)
{
    *answers = chains_int32_list_new(ctx, 4);
    int32_t *at = answers->items;
    CHAINS_TRY(left_run_remote(self->l, ctx, 2, &at[0], &at[1]));
    return right_run_remote(self->r, ctx, count, &at[2], &at[3]);
}

void both_free(both *self)
{
    (void)self;
}
