#pragma once
#include <chains.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* What both eaters do: takes mib MiB, and waits while there is the file that gate names. */
static inline const char *be_hungry(chains_ctx *ctx, int mib, const char *gate)
{
    size_t size = (size_t)mib << 20;
    volatile char *memory = malloc(size ? size : 1);
    for (size_t at = 0; memory && at < size; at += 4096)
        memory[at] = 1;
    while (*gate && access(gate, F_OK) == 0 && !chains_cancelled(ctx))
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    free((void *)memory);
    return "well";
}
