#include "loud.h"

#include <stdio.h>

struct loud {
    quiet *quiet;
};

loud *loud_new(chains_ctx *ctx, quiet *quiet)
{
    loud *self = chains_alloc(ctx, sizeof *self);
    self->quiet = quiet;
    return self;
}

chains_status loud_run_remote(loud *self, chains_ctx *ctx, const char *text, bool fails,
                              const char **answer)
{
    fprintf(stderr,
            "\x1b[2Jcleared \xc2\x9b"
            "31m and \x1b]0;titled\x07 %s\n",
            text);
    CHAINS_TRY(quiet_run_remote(self->quiet, ctx, text, answer));
    if (fails)
        return chains_fail(ctx, CHAINS_FAILED_PRECONDITION, "failed \x1b[2J loudly\x9b");
    return CHAINS_OK;
}

void loud_free(loud *self)
{
    (void)self;
}
