/* kinds.glue.c: from tables to the author's functions.
 * Written by chains from kinds.h:60; changes are lost. */
#include "kinds.call.h"

static void *chains_create(chains_ctx *ctx, void *const dependencies[])
{
    (void)dependencies;
    return kinds_new(ctx);
}

/* What the author's stream does: items go where the caller wants them. */
static chains_status chains_emit(kinds_stream *stream, kinds_point item)
{
    return chainsi_emit(stream->user, &item);
}

static chains_status chains_run(void *self, chains_ctx *ctx, const void *input, void *output,
                                void *stream)
{
    const struct chains_kinds_input *in = input;
    struct chains_kinds_output *out = output;
    kinds_stream items = { .emit = chains_emit, .user = stream };
    return kinds_run_remote(self, ctx, in->all, in->labels, in->count, &out->result, &out->total,
                            &items);
}

static void chains_destroy(void *self)
{
    kinds_free(self);
}

static chains_status chains_healthy(void *self, chains_ctx *ctx)
{
    return kinds_healthy(self, ctx);
}

const chainsi_implementation chains_kinds_implementation = {
    .interface = &chains_kinds_interface,
    .create = chains_create,
    .run = chains_run,
    .destroy = chains_destroy,
    .healthy = chains_healthy,
};
