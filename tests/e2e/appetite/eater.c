#include "eater.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

eater *eater_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, 1);
}

chains_status eater_run_remote(eater *self, chains_ctx *ctx, int mib, const char *gate,
                               const char **said)
{
    (void)self;
    size_t size = (size_t)mib << 20;
    volatile char *memory = malloc(size ? size : 1);
    for (size_t at = 0; memory && at < size; at += 4096)
        memory[at] = 1;
    while (*gate && access(gate, F_OK) == 0 && !chains_cancelled(ctx))
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    free((void *)memory);
    *said = chains_printf(ctx, "well");
    return CHAINS_OK;
}

void eater_free(eater *self)
{
    (void)self;
}
