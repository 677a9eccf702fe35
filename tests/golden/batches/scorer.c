#include "scorer.h"

struct scorer {
    double factor;
};

scorer *scorer_new(chains_ctx *ctx)
{
    scorer *self = chains_alloc(ctx, sizeof *self);
    self->factor = 2;
    return self;
}

chains_status scorer_run_remote(scorer *self, chains_ctx *ctx, const char *text,
                                const scorer_hint *hint, scorer_hints hints, long long count,
                                const char **label, double *score)
{
    return scorer_run_batch(self, &ctx, 1, &text, &hint, &hints, &count, label, score);
}

chains_status scorer_run_batch(scorer *self, chains_ctx *const calls[], size_t size,
                               const char *const text[], const scorer_hint *const hint[],
                               const scorer_hints hints[], const long long count[],
                               const char *label[], double score[])
{
    for (size_t i = 0; i < size; i++) {
        label[i] = chains_printf(calls[i], "%s.", text[i]);
        score[i] =
            self->factor * (hint[i] ? hint[i]->weight : (double)count[i] + (double)hints[i].count);
    }
    return CHAINS_OK;
}

void scorer_free(scorer *self)
{
    (void)self;
}
