/* translator.fake.c: from tables to the functions of a fake.
 * Written by chains from front/front.h:6; changes are lost. */
#include "translator.call.h"

/* The fake has no state: any address will do for it. */
static translator *translator_new(chains_ctx *chains_ctx_)
{
    static long long nothing;
    (void)chains_ctx_;
    return (translator *)(void *)&nothing;
}

static void translator_free(translator *self)
{
    (void)self;
}

static void *chains_create(chains_ctx *ctx, void *const dependencies[])
{
    (void)dependencies;
    return translator_new(ctx);
}

static chains_status chains_run(void *self, chains_ctx *ctx, const void *input, void *output,
                                void *stream)
{
    const struct chains_translator_input *in = input;
    struct chains_translator_output *out = output;
    (void)stream;
    return translator_run_remote(self, ctx, in->text, &out->translated);
}

static void chains_destroy(void *self)
{
    translator_free(self);
}

const chainsi_implementation chains_translator_implementation = {
    .interface = &chains_translator_interface,
    .create = chains_create,
    .run = chains_run,
    .destroy = chains_destroy,
};
