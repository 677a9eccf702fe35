/* The front door's own span of a call: at the top of the trace, unless the client has one, too. */
#ifndef CHAINSI_CONTROL_FRONT_SPAN_H
#define CHAINSI_CONTROL_FRONT_SPAN_H

#include "control/collector.h"
#include "control/exchange.h"

typedef struct chainsi_front_span {
    chainsi_trace trace; /* with the span, which is the parent of what is called */
    uint64_t parent;     /* the client's; 0: none */
} chainsi_front_span;

/* Takes over the client's trace, whose word counts whether it is recorded, or begins one. collector: NULL
 * is allowed here and below, and nothing is told then. */
void chainsi_front_span_begin(chainsi_front_span *span, chainsi_collector *collector,
                              const chainsi_exchange *exchange);
/* Tells of a call to a Chainlet of that chain that has ended; what failed or was slow in any case. message:
 * "" where the callee has said why. */
void chainsi_front_span_end(const chainsi_front_span *span, chainsi_collector *collector,
                            const chainsi_exchange *exchange, const char *chain,
                            const char *chainlet, unsigned attempts, chains_status status,
                            const char *message);

#endif
