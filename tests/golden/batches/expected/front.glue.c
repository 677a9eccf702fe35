/* front.glue.c: from tables to the author's functions.
 * Written by chains from front.h:6; changes are lost. */
#include "front.call.h"

static void *chains_create(chains_ctx *ctx, void *const dependencies[])
{
    return front_new(ctx, dependencies[0], dependencies[1], dependencies[2]);
}

static chains_status chains_run(void *self, chains_ctx *ctx, const void *input, void *output,
                                void *stream)
{
    const struct chains_front_input *in = input;
    struct chains_front_output *out = output;
    (void)stream;
    return front_run_remote(self, ctx, in->text, &out->score);
}

static void chains_destroy(void *self)
{
    front_free(self);
}

const chainsi_implementation chains_front_implementation = {
    .interface = &chains_front_interface,
    .create = chains_create,
    .run = chains_run,
    .destroy = chains_destroy,
};
