#include "inner.h"

#include <stdio.h>

struct inner {
    const char *path;
};

inner *inner_new(chains_ctx *ctx)
{
    inner *self = chains_alloc(ctx, sizeof *self);
    self->path = chains_asset(ctx, "texts/inner.txt");
    return self->path ? self : NULL;
}

chains_status inner_run_remote(inner *self, chains_ctx *ctx, const char **text)
{
    char line[64] = "";
    FILE *file = fopen(self->path, "re");
    if (!file || !fgets(line, sizeof line, file))
        return chains_fail(ctx, CHAINS_INTERNAL, "%s can't be read", self->path);
    fclose(file);
    *text = chains_printf(ctx, "%s", line);
    return CHAINS_OK;
}

void inner_free(inner *self)
{
    (void)self;
}
