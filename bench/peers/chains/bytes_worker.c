#include "bytes_worker.h"

#include "payload.h"
struct bytes_worker {
    char unused;
};

bytes_worker *bytes_worker_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, sizeof(bytes_worker));
}

chains_status bytes_worker_run_remote(bytes_worker *self, chains_ctx *ctx, chains_bytes data,
                                      chains_bytes *sample)
{
    (void)self;
    size_t pages = (data.size + PAYLOAD_PAGE_BYTES - 1) / PAYLOAD_PAGE_BYTES;
    unsigned char *answer = chains_alloc(ctx, pages ? pages : 1);
    *sample = (chains_bytes){ answer, payload_sample(data.data, data.size, answer) };
    return CHAINS_OK;
}

void bytes_worker_free(bytes_worker *self)
{
    (void)self;
}
