/* Two fakes, one with a batch; tickets are real. */
#include "front.h"

#include <string.h>

static bool sunk;

chains_status scorer_run_remote(scorer *self, chains_ctx *ctx, const char *text,
                                const scorer_hint *hint, scorer_hints hints, long long count,
                                const char **label, double *score)
{
    (void)self, (void)ctx, (void)hint, (void)hints;
    *label = text;
    *score = (double)count / 2.0;
    return CHAINS_OK;
}

chains_status scorer_run_batch(scorer *self, chains_ctx *const calls[], size_t size,
                               const char *const text[], const scorer_hint *const hint[],
                               const scorer_hints hints[], const long long count[],
                               const char *label[], double score[])
{
    for (size_t i = 0; i < size; i++)
        CHAINS_TRY(scorer_run_remote(self, calls[i], text[i], hint[i], hints[i], count[i],
                                     &label[i], &score[i]));
    return CHAINS_OK;
}

chains_status sink_run_remote(sink *self, chains_ctx *ctx, const char *text)
{
    (void)self, (void)ctx;
    sunk = !strcmp(text, "moon");
    return CHAINS_OK;
}

int main(void)
{
    chains_ctx *ctx = chains_open(NULL);
    ticket *tickets = ticket_new(ctx);
    front *chain = front_new(ctx, scorer_new(ctx), tickets, sink_new(ctx));
    double score = 0;
    bool good = front_run_remote(chain, ctx, "moon", &score) == CHAINS_OK && score == 0.5 && sunk;
    front_free(chain);
    ticket_free(tickets);
    chains_close(ctx);
    return good ? 0 : 1;
}
