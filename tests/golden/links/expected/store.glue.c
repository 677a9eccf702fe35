/* store.glue.c: from tables to the author's functions.
 * Written by chains from store.h:5; changes are lost. */
#include "store.call.h"

static void *chains_create(chains_ctx *ctx, void *const dependencies[])
{
    return store_new(ctx, dependencies[0]);
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
