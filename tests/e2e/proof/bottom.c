#include "bottom.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct bottom {
    int unused;
};

bottom *bottom_new(chains_ctx *ctx)
{
    return chains_alloc(ctx, sizeof(bottom));
}

static chains_status look_for(chains_ctx *ctx, const char *what)
{
    return chains_fail(ctx, CHAINS_NOT_FOUND, "there is no %s", what);
}

chains_status bottom_run_remote(bottom *self, chains_ctx *ctx, const char *what, const char *marker,
                                const char **said)
{
    (void)self;
    if (!strcmp(what, "missing"))
        CHAINS_TRY(look_for(ctx, "thing"));
    int fd = open(marker, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (!strcmp(what, "crash") && fd >= 0)
        _exit(9);
    if (fd >= 0)
        close(fd);
    *said = "survived";
    return CHAINS_OK;
}

void bottom_free(bottom *self)
{
    (void)self;
}
