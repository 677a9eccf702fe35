#include "leaf.h"

#include "notes.h"

leaf *leaf_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, 1);
}

chains_status leaf_run_remote(leaf *self, chains_ctx *ctx, const char *notes)
{
    (void)self;
    note_begun(ctx, notes, "leaf");
    while (!chains_cancelled(ctx))
        nanosleep(&(struct timespec){ .tv_nsec = 4000000 }, NULL);
    note_ended(ctx, notes, "leaf");
    return chains_fail(ctx, CHAINS_CANCELLED, "nobody waits");
}

void leaf_free(leaf *self)
{
    (void)self;
}
