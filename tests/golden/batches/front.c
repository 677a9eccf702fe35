#include "front.h"

struct front {
    scorer *scores;
    ticket *tickets;
    sink *ends;
};

front *front_new(chains_ctx *ctx, scorer *scores, ticket *tickets, sink *ends)
{
    front *self = chains_alloc(ctx, sizeof *self);
    *self = (front){ scores, tickets, ends };
    return self;
}

chains_status front_run_remote(front *self, chains_ctx *ctx, const char *text, double *score)
{
    uint64_t number;
    const char *label;
    CHAINS_TRY(ticket_run_remote(self->tickets, ctx, &number));
    CHAINS_TRY(scorer_run_remote(self->scores, ctx, text, NULL, (scorer_hints){ 0 },
                                 (long long)number, &label, score));
    return sink_run_remote(self->ends, ctx, label);
}

void front_free(front *self)
{
    (void)self;
}
