#include "waiter.h"

#include <string.h>

struct cook {
    const char *prefix;
};

cook *cook_new(chains_ctx *ctx, oven *heat)
{
    (void)heat;
    cook *self = chains_alloc(ctx, sizeof *self);
    self->prefix = "fake";
    return self;
}

chains_status cook_run_remote(cook *self, chains_ctx *ctx, const char *dish, const char **meal)
{
    *meal = chains_printf(ctx, "%s %s", self->prefix, dish);
    return CHAINS_OK;
}

int main(void)
{
    chains_ctx *ctx = chains_open(NULL);
    cook *kitchen = cook_new(ctx, NULL); /* this file's own */
    bool good = !strcmp(kitchen->prefix, "fake");
    waiter *chain = waiter_new(ctx, kitchen);
    const char *dishes[] = { "soup" };
    chains_string_list meals = { 0 };
    good = good && waiter_run_remote(chain, ctx, (chains_string_list){ dishes, 1 }, &meals) == 0 &&
           !strcmp(meals.items[0], "fake soup");
    waiter_free(chain);
    chains_close(ctx);
    return good ? 0 : 1;
}
