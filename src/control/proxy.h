/* Calls through the front door: a client's request to a Chainlet's socket, and the answer back. */
#ifndef CHAINSI_CONTROL_PROXY_H
#define CHAINSI_CONTROL_PROXY_H

#include "control/chain.h"
#include "control/exchange.h"

/* Forwards the exchange to a Chainlet of the chain's active version; chainlet NULL: the entrypoint.
 * path is what the Chainlet is asked for ("/run_remote"); probes: on its second socket, that takes
 * no slot. Identity and time go along: X-Request-Id and traceparent, made where the client gave
 * none, and X-Chains-Timeout-Ms, less the time spent here. What wasn't started is sent again, also
 * to a version that took over meanwhile; a client that leaves ends the call. */
void chainsi_proxy(chainsi_registry *registry, chainsi_exchange *exchange, const char *chain,
                   const char *chainlet, const char *path, bool probes);

#endif
