#include "inner.h"

#include <string.h>

struct inner {
    const char *word;
};

inner *inner_new(chains_ctx *ctx)
{
    inner *self = chains_alloc(ctx, sizeof *self);
    self->word = chains_secret(ctx, "inner_word");
    return self->word ? self : NULL;
}

chains_status inner_run_remote(inner *self, chains_ctx *ctx, const char *word, bool *same)
{
    (void)ctx;
    *same = !strcmp(word, self->word);
    return CHAINS_OK;
}

void inner_free(inner *self)
{
    (void)self;
}
