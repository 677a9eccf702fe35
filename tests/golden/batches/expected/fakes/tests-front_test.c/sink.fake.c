/* sink.fake.c: from tables to the functions of a fake.
 * Written by chains from sink.h:5; changes are lost. */
#include "sink.call.h"

/* The fake has no state: any address will do for it. */
sink *sink_new(chains_ctx *chains_ctx_)
{
    static long long nothing;
    (void)chains_ctx_;
    return (sink *)(void *)&nothing;
}

void sink_free(sink *self)
{
    (void)self;
}

static void *chains_create(chains_ctx *ctx, void *const dependencies[])
{
    (void)dependencies;
    return sink_new(ctx);
}

static chains_status chains_run(void *self, chains_ctx *ctx, const void *input, void *output,
                                void *stream)
{
    const struct chains_sink_input *in = input;
    (void)output;
    (void)stream;
    return sink_run_remote(self, ctx, in->text);
}

static void chains_destroy(void *self)
{
    sink_free(self);
}

const chainsi_implementation chains_sink_implementation = {
    .interface = &chains_sink_interface,
    .create = chains_create,
    .run = chains_run,
    .destroy = chains_destroy,
};
