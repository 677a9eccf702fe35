/* kinds.stub.c: its run_remote as callers see it.
 * Written by chains from kinds.h:60; changes are lost. */
#include "kinds.call.h"

/* Hands an item to the caller's emit. */
static chains_status chains_deliver_(chainsi_stream *stream, const void *item)
{
    kinds_stream *to = stream->user;
    return to->emit(to, *(kinds_point const *)item);
}

chains_status kinds_run_remote(kinds *chains_self_, chains_ctx *chains_ctx_, const kinds_all *all,
                               kinds_labels labels, long long count, kinds_all *result,
                               unsigned long long *total, kinds_stream *stream)
{
    const struct chains_kinds_input chains_input_ = {
        .all = all,
        .labels = labels,
        .count = count,
    };
    void *const chains_outputs_[] = { result, total };
    const chainsi_stream chains_stream_ = { .deliver = chains_deliver_, .user = stream };
    return chainsi_call(chains_self_, chains_ctx_, &chains_input_, chains_outputs_,
                        stream ? &chains_stream_ : NULL);
}
