#include "keeper.h"

#include <stdio.h>
#include <stdlib.h>

struct keeper {
    const char *token;
    char asset[64];
};

keeper *keeper_new(chains_ctx *ctx)
{
    keeper *self = chains_alloc(ctx, sizeof *self);
    const char *path = chains_asset(ctx, "en/base.txt");
    self->token = chains_secret(ctx, "token");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!self->token || !file)
        return NULL;
    self->asset[fread(self->asset, 1, sizeof self->asset - 1, file)] = 0;
    fclose(file);
    return self;
}

chains_status keeper_run_remote(keeper *self, chains_ctx *ctx, const char **all)
{
    *all = chains_printf(ctx, "%s %s %s %s", self->token, self->asset, chains_environment(ctx),
                         getenv("WHERE"));
    return CHAINS_OK;
}

void keeper_free(keeper *self)
{
    (void)self;
}
