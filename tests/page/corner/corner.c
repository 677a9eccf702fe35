#include "corner.h"

struct corner {
    nook *nook;
};

corner *corner_new(chains_ctx *ctx, nook *nook, afar *afar)
{
    (void)afar;
    corner *self = chains_alloc(ctx, sizeof(corner));
    *self = (corner){ .nook = nook };
    return self;
}

chains_status corner_run_remote(corner *self, chains_ctx *ctx, uint64_t number, const char *label,
                                uint64_t *same, const char **labels)
{
    CHAINS_TRY(nook_run_remote(self->nook, ctx, number, same));
    *labels = chains_printf(ctx, "%s and %s", label, label);
    return CHAINS_OK;
}

void corner_free(corner *self)
{
    (void)self;
}
