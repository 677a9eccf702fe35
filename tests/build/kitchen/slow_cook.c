/* A fake with state of its own. */
#include "cook.h"

struct cook {
    int meals;
};

cook *cook_new(chains_ctx *ctx, oven *heat)
{
    (void)heat;
    cook *self = chains_alloc(ctx, sizeof *self);
    self->meals = 40;
    return self;
}

chains_status cook_run_remote(cook *self, chains_ctx *ctx, const char *dish, const char **meal)
{
    *meal = chains_printf(ctx, "%s number %d", dish, __atomic_add_fetch(&self->meals, 1, 5));
    return CHAINS_OK;
}

void cook_free(cook *self)
{
    (void)self;
}
