#include "numbers_worker.h"

#include "payload.h"
struct numbers_worker {
    char unused;
};

numbers_worker *numbers_worker_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, sizeof(numbers_worker));
}

chains_status numbers_worker_run_remote(numbers_worker *self, chains_ctx *ctx,
                                        chains_double_list values, double *sum)
{
    (void)self, (void)ctx;
    *sum = payload_sum(values.items, values.count);
    return CHAINS_OK;
}

void numbers_worker_free(numbers_worker *self)
{
    (void)self;
}
