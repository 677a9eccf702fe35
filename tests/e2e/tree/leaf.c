#include "leaf.h"

#include <semaphore.h>

#include "notes.h"

leaf *leaf_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, 1);
}

static void tell(void *argument)
{
    sem_post(argument);
}

static void wait_to_be_told(chains_ctx *ctx)
{
    sem_t told;
    sem_init(&told, 0, 0);
    chains_on_cancel(ctx, tell, &told);
    while (sem_wait(&told)) /* a signal */
        ;
    chains_on_cancel(ctx, NULL, NULL); /* it may still be in sem_post */
    sem_destroy(&told);
}

static void ask_now_and_then(chains_ctx *ctx)
{
    while (!chains_cancelled(ctx))
        nanosleep(&(struct timespec){ .tv_nsec = 4000000 }, NULL);
}

chains_status leaf_run_remote(leaf *self, chains_ctx *ctx, const char *notes, bool told)
{
    (void)self;
    note_begun(ctx, notes, "leaf");
    if (told)
        wait_to_be_told(ctx);
    else
        ask_now_and_then(ctx);
    note_ended(ctx, notes, "leaf");
    return chains_fail(ctx, CHAINS_CANCELLED, "nobody waits");
}

void leaf_free(leaf *self)
{
    (void)self;
}
