/* ticket.call.h: a call as structs.
 * Written by chains from ticket.h:5; changes are lost. */
#ifndef CHAINS_CALL_ticket_H
#define CHAINS_CALL_ticket_H

#include "ticket.h"
#include "runtime/glue.h"

/* The outputs of a call, in order. */
struct chains_ticket_output {
    uint64_t number;
};

extern const chainsi_interface chains_ticket_interface;
extern const chainsi_implementation chains_ticket_implementation;

#endif
