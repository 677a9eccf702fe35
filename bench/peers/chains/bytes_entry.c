#include "bytes_entry.h"

struct bytes_entry {
    bytes_worker *worker;
};

bytes_entry *bytes_entry_new(chains_ctx *ctx, bytes_worker *worker)
{
    bytes_entry *self = chains_alloc(ctx, sizeof *self);
    self->worker = worker;
    return self;
}

chains_status bytes_entry_run_remote(bytes_entry *self, chains_ctx *ctx, chains_bytes data,
                                     chains_bytes *sample)
{
    CHAINS_TRY(bytes_worker_run_remote(self->worker, ctx, data, sample));
    return CHAINS_OK;
}

void bytes_entry_free(bytes_entry *self)
{
    (void)self;
}
