/* sink.glue.c: from tables to the author's functions.
 * Written by chains from sink.h:5; changes are lost. */
#include "sink.call.h"

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

/* A member of `all` is one parameter of all calls. */
static chains_status chains_run_batch(void *self, chains_ctx *const calls[], size_t count,
                                      const void *const inputs[], void *const outputs[])
{
    struct {
        const char **text;
    } all;
    (void)outputs;
    all.text = chains_alloc(calls[0], count * sizeof *all.text);
    for (size_t i = 0; i < count; i++) {
        const struct chains_sink_input *in = inputs[i];
        all.text[i] = in->text;
    }
    return sink_run_batch(self, calls, count, all.text);
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
    .run_batch = chains_run_batch,
};
