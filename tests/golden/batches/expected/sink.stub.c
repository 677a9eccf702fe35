/* sink.stub.c: its run_remote as callers see it.
 * Written by chains from sink.h:5; changes are lost. */
#include "sink.call.h"

chains_status sink_run_remote(sink *chains_self_, chains_ctx *chains_ctx_, const char *text)
{
    const struct chains_sink_input chains_input_ = {
        .text = text,
    };
    return chainsi_call(chains_self_, chains_ctx_, &chains_input_, NULL, NULL);
}
