#include "desk.h"

struct desk {
    device *asked;
};

desk *desk_new(chains_ctx *ctx, device *asked)
{
    desk *self = chains_alloc(ctx, sizeof *self);
    self->asked = asked;
    return self;
}

chains_status desk_run_remote(desk *self, chains_ctx *ctx, const char **seen)
{
    CHAINS_TRY(device_run_remote(self->asked, ctx, seen));
    return CHAINS_OK;
}

void desk_free(desk *self)
{
    (void)self;
}
