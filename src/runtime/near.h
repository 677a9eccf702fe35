/* Calls to a Chainlet that is near (`.near`): to its replicas on this node, where one has a free slot (rpc/near.h), before
 * they go to any replica over TCP. */
#ifndef CHAINSI_RUNTIME_NEAR_H
#define CHAINSI_RUNTIME_NEAR_H

#include "rpc/near.h"
#include "runtime/callee.h"

/* What $CHAINS_<C_NAME>_NEAR says; NULL: it is not near. */
chainsi_near *chainsi_near_find(const chainsi_interface *interface);

/* The same input without anything beside the body, for callees that can't be given shared memory; into an empty
 * message, whose memory is its own. Failures are recorded on ctx. */
chains_status chainsi_near_flatten(const chainsi_interface *interface, chains_ctx *ctx,
                                   const chainsi_message *message, chainsi_message *flat);

#endif
