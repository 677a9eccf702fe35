/* store.stub.c: its run_remote as callers see it.
 * Written by chains from store.h:5; changes are lost. */
#include "store.call.h"

chains_status store_run_remote(store *chains_self_, chains_ctx *chains_ctx_, const char *text)
{
    const struct chains_store_input chains_input_ = {
        .text = text,
    };
    return chainsi_call(chains_self_, chains_ctx_, &chains_input_, NULL, NULL);
}
