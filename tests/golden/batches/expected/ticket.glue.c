/* ticket.glue.c: from tables to the author's functions.
 * Written by chains from ticket.h:5; changes are lost. */
#include "ticket.call.h"

/* In ticket.guard.cc: no exception leaves these. */
ticket *chains_guard_ticket_new(chains_ctx *chains_ctx_);
chains_status chains_guard_ticket_run_remote(ticket *chains_self_, chains_ctx *chains_ctx_,
                                             uint64_t *number);
void chains_guard_ticket_free(ticket *self);
chains_status chains_guard_ticket_run_batch(ticket *chains_self_, chains_ctx *const chains_calls_[],
                                            size_t chains_count_, uint64_t number[]);

static void *chains_create(chains_ctx *ctx, void *const dependencies[])
{
    (void)dependencies;
    return chains_guard_ticket_new(ctx);
}

static chains_status chains_run(void *self, chains_ctx *ctx, const void *input, void *output,
                                void *stream)
{
    (void)input;
    struct chains_ticket_output *out = output;
    (void)stream;
    return chains_guard_ticket_run_remote(self, ctx, &out->number);
}

/* A member of `all` is one parameter of all calls. */
static chains_status chains_run_batch(void *self, chains_ctx *const calls[], size_t count,
                                      const void *const inputs[], void *const outputs[])
{
    struct {
        uint64_t *number;
    } all;
    (void)inputs;
    all.number = chains_alloc(calls[0], count * sizeof *all.number);
    chains_status status = chains_guard_ticket_run_batch(self, calls, count, all.number);
    for (size_t i = 0; i < count; i++) {
        struct chains_ticket_output *out = outputs[i];
        out->number = all.number[i];
    }
    return status;
}

static void chains_destroy(void *self)
{
    chains_guard_ticket_free(self);
}

const chainsi_implementation chains_ticket_implementation = {
    .interface = &chains_ticket_interface,
    .create = chains_create,
    .run = chains_run,
    .destroy = chains_destroy,
    .run_batch = chains_run_batch,
};
