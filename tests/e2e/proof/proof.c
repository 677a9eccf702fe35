#include "proof.h"

struct proof {
    bottom *below;
    middle *between;
    flaky *sometimes;
    slow *late;
};

proof *proof_new(chains_ctx *ctx, bottom *below, middle *between, flaky *sometimes, slow *late)
{
    proof *self = chains_alloc(ctx, sizeof *self);
    *self = (proof){ below, between, sometimes, late };
    return self;
}

static chains_status call_three_levels(proof *self, chains_ctx *ctx, const char **said)
{
    CHAINS_TRY(middle_run_remote(self->between, ctx, "missing", "", said));
    return CHAINS_OK;
}

chains_status proof_run_remote(proof *self, chains_ctx *ctx, proof_mode mode, const char *marker,
                               const char **said)
{
    int call = 0;
    *said = "done";
    switch (mode) {
    case PROOF_TRACE:
        return call_three_levels(self, ctx, said);
    case PROOF_CRASH:
        CHAINS_TRY(bottom_run_remote(self->below, ctx, "crash", marker, said));
        break;
    case PROOF_SURVIVE:
        CHAINS_TRY(middle_run_remote(self->between, ctx, "crash", marker, said));
        break;
    case PROOF_RETRY:
        CHAINS_TRY(flaky_run_remote(self->sometimes, ctx, &call));
        *said = chains_printf(ctx, "call %d", call);
        break;
    case PROOF_TIMEOUT:
        CHAINS_TRY(slow_run_remote(self->late, ctx, marker));
        break;
    }
    return CHAINS_OK;
}

void proof_free(proof *self)
{
    (void)self;
}
