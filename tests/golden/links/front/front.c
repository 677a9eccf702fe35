#include "front.h"

struct front {
    store *keep;
    translator *translate;
    counter *count;
};

front *front_new(chains_ctx *ctx, store *keep, translator *translate, counter *count)
{
    front *self = chains_alloc(ctx, sizeof *self);
    *self = (front){ keep, translate, count };
    return self;
}

chains_status front_run_remote(front *self, chains_ctx *ctx, const char *text,
                               const char **translated, uint64_t *calls)
{
    CHAINS_TRY(store_run_remote(self->keep, ctx, text));
    CHAINS_TRY(translator_run_remote(self->translate, ctx, text, translated));
    return counter_run_remote(self->count, ctx, calls);
}

void front_free(front *self)
{
    (void)self;
}
