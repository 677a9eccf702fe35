#include "numbers_entry.h"

struct numbers_entry {
    numbers_worker *worker;
};

numbers_entry *numbers_entry_new(chains_ctx *ctx, numbers_worker *worker)
{
    numbers_entry *self = chains_alloc(ctx, sizeof *self);
    self->worker = worker;
    return self;
}

chains_status numbers_entry_run_remote(numbers_entry *self, chains_ctx *ctx,
                                       chains_double_list values, double *sum)
{
    CHAINS_TRY(numbers_worker_run_remote(self->worker, ctx, values, sum));
    return CHAINS_OK;
}

void numbers_entry_free(numbers_entry *self)
{
    (void)self;
}
