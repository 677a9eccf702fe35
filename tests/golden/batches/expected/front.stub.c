/* front.stub.c: its run_remote as callers see it.
 * Written by chains from front.h:6; changes are lost. */
#include "front.call.h"

chains_status front_run_remote(front *chains_self_, chains_ctx *chains_ctx_, const char *text,
                               double *score)
{
    const struct chains_front_input chains_input_ = {
        .text = text,
    };
    void *const chains_outputs_[] = { score };
    return chainsi_call(chains_self_, chains_ctx_, &chains_input_, chains_outputs_, NULL);
}
