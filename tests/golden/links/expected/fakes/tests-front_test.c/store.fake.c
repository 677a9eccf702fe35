/* store.fake.c: from tables to the functions of a fake.
 * Written by chains from store.h:5; changes are lost. */
#include "store.call.h"

/* The fake has no state: any address will do for it. */
store *store_new(chains_ctx *chains_ctx_, counter *calls)
{
    static long long nothing;
    (void)chains_ctx_;
    (void)calls;
    return (store *)(void *)&nothing;
}

void store_free(store *self)
{
    (void)self;
}

static void *chains_create(chains_ctx *ctx, void *const dependencies[])
{
    (void)dependencies;
    return store_new(ctx, NULL);
}

static chains_status chains_run(void *self, chains_ctx *ctx, const void *input, void *output,
                                void *stream)
{
    const struct chains_store_input *in = input;
    (void)output;
    (void)stream;
    return store_run_remote(self, ctx, in->text);
}

static void chains_destroy(void *self)
{
    store_free(self);
}

const chainsi_implementation chains_store_implementation = {
    .interface = &chains_store_interface,
    .create = chains_create,
    .run = chains_run,
    .destroy = chains_destroy,
};
