/* counter.glue.c: from tables to the author's functions.
 * Written by chains from counter.h:5; changes are lost. */
#include "counter.call.h"

/* In counter.guard.cc: no exception leaves these. */
counter *chains_guard_counter_new(chains_ctx *chains_ctx_);
chains_status chains_guard_counter_run_remote(counter *chains_self_, chains_ctx *chains_ctx_,
                                              uint64_t *calls);
void chains_guard_counter_free(counter *self);
chains_status chains_guard_counter_healthy(counter *self, chains_ctx *ctx);

static void *chains_create(chains_ctx *ctx, void *const dependencies[])
{
    (void)dependencies;
    return chains_guard_counter_new(ctx);
}

static chains_status chains_run(void *self, chains_ctx *ctx, const void *input, void *output,
                                void *stream)
{
    (void)input;
    struct chains_counter_output *out = output;
    (void)stream;
    return chains_guard_counter_run_remote(self, ctx, &out->calls);
}

static void chains_destroy(void *self)
{
    chains_guard_counter_free(self);
}

static chains_status chains_healthy(void *self, chains_ctx *ctx)
{
    return chains_guard_counter_healthy(self, ctx);
}

const chainsi_implementation chains_counter_implementation = {
    .interface = &chains_counter_interface,
    .create = chains_create,
    .run = chains_run,
    .destroy = chains_destroy,
    .healthy = chains_healthy,
};
