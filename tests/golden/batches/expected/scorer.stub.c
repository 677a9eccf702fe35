/* scorer.stub.c: its run_remote as callers see it.
 * Written by chains from scorer.h:11; changes are lost. */
#include "scorer.call.h"

chains_status scorer_run_remote(scorer *chains_self_, chains_ctx *chains_ctx_, const char *text,
                                const scorer_hint *hint, scorer_hints hints, long long count,
                                const char **label, double *score)
{
    const struct chains_scorer_input chains_input_ = {
        .text = text,
        .hint = hint,
        .hints = hints,
        .count = count,
    };
    void *const chains_outputs_[] = { label, score };
    return chainsi_call(chains_self_, chains_ctx_, &chains_input_, chains_outputs_, NULL);
}
