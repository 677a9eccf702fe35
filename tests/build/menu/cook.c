#include "cook.h"

#include <stdlib.h>
#include <string.h>

struct cook {
    int unused;
};

cook *cook_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, sizeof(cook));
}

chains_status cook_run_remote(cook *self, chains_ctx *ctx, const char *dish, const char **meal)
{
    (void)self;
    if (!strcmp(dish, "secret")) {
        *meal = chains_secret(ctx, "recipe");
        return *meal ? CHAINS_OK : chains_last_error(ctx)->status;
    }
    *meal = chains_printf(ctx, "%s %s", getenv("COOK_STYLE"), dish);
    return CHAINS_OK;
}

void cook_free(cook *self)
{
    (void)self;
}
