#include "teller.h"

struct teller {
    inner *asked;
};

teller *teller_new(chains_ctx *ctx, inner *asked)
{
    teller *self = chains_alloc(ctx, sizeof *self);
    self->asked = asked;
    chains_log(ctx, CHAINS_INFO, "it begins with %s", chains_secret(ctx, "word"));
    return self;
}

chains_status teller_run_remote(teller *self, chains_ctx *ctx, const char *name, const char *inner,
                                const char **value, bool *same)
{
    *value = chains_secret(ctx, name);
    if (!*value)
        return chains_last_error(ctx)->status;
    chains_log(ctx, CHAINS_INFO, "the secret is %s", *value);
    return inner_run_remote(self->asked, ctx, inner, same);
}

void teller_free(teller *self)
{
    (void)self;
}
