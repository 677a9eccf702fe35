/* ticket.stub.c: its run_remote as callers see it.
 * Written by chains from ticket.h:5; changes are lost. */
#include "ticket.call.h"

chains_status ticket_run_remote(ticket *chains_self_, chains_ctx *chains_ctx_, uint64_t *number)
{
    const char chains_input_ = 0; /* there are no inputs */
    void *const chains_outputs_[] = { number };
    return chainsi_call(chains_self_, chains_ctx_, &chains_input_, chains_outputs_, NULL);
}
