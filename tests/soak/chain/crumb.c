#include "crumb.h"

#include <time.h>

struct crumb {
    int nothing;
};

crumb *crumb_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, sizeof(crumb));
}

chains_status crumb_run_remote(crumb *self, chains_ctx *ctx, int work_us, chains_bytes payload,
                               bool fail, uint64_t *sum)
{
    (void)self;
    const unsigned char *bytes = payload.data;
    *sum = 1;
    for (size_t i = 0; i < payload.size; i++)
        *sum += bytes[i];
    while (work_us > 0) {
        int part_us = work_us < 1000 ? work_us : 1000;
        nanosleep(&(struct timespec){ .tv_nsec = part_us * 1000L }, NULL);
        work_us -= part_us;
        if (chains_cancelled(ctx))
            return chains_fail(ctx, CHAINS_CANCELLED, "nobody waits for it");
    }
    if (fail)
        return chains_fail(ctx, CHAINS_FAILED_PRECONDITION, "it was to fail"); /* not tried again */
    return CHAINS_OK;
}

void crumb_free(crumb *self)
{
    (void)self;
}
