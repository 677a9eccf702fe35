/* scorer.glue.c: from tables to the author's functions.
 * Written by chains from scorer.h:11; changes are lost. */
#include "scorer.call.h"

static void *chains_create(chains_ctx *ctx, void *const dependencies[])
{
    (void)dependencies;
    return scorer_new(ctx);
}

static chains_status chains_run(void *self, chains_ctx *ctx, const void *input, void *output,
                                void *stream)
{
    const struct chains_scorer_input *in = input;
    struct chains_scorer_output *out = output;
    (void)stream;
    return scorer_run_remote(self, ctx, in->text, in->hint, in->hints, in->count, &out->label,
                             &out->score);
}

/* A member of `all` is one parameter of all calls. */
static chains_status chains_run_batch(void *self, chains_ctx *const calls[], size_t count,
                                      const void *const inputs[], void *const outputs[])
{
    struct {
        const char **text;
        const scorer_hint **hint;
        scorer_hints *hints;
        long long *count;
        const char **label;
        double *score;
    } all;
    all.text = chains_alloc(calls[0], count * sizeof *all.text);
    all.hint = chains_alloc(calls[0], count * sizeof *all.hint);
    all.hints = chains_alloc(calls[0], count * sizeof *all.hints);
    all.count = chains_alloc(calls[0], count * sizeof *all.count);
    all.label = chains_alloc(calls[0], count * sizeof *all.label);
    all.score = chains_alloc(calls[0], count * sizeof *all.score);
    for (size_t i = 0; i < count; i++) {
        const struct chains_scorer_input *in = inputs[i];
        all.text[i] = in->text;
        all.hint[i] = in->hint;
        all.hints[i] = in->hints;
        all.count[i] = in->count;
    }
    chains_status status = scorer_run_batch(self, calls, count, all.text, all.hint, all.hints,
                                            all.count, all.label, all.score);
    for (size_t i = 0; i < count; i++) {
        struct chains_scorer_output *out = outputs[i];
        out->label = all.label[i];
        out->score = all.score[i];
    }
    return status;
}

static void chains_destroy(void *self)
{
    scorer_free(self);
}

const chainsi_implementation chains_scorer_implementation = {
    .interface = &chains_scorer_interface,
    .create = chains_create,
    .run = chains_run,
    .destroy = chains_destroy,
    .run_batch = chains_run_batch,
};
