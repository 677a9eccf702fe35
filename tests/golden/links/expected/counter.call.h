/* counter.call.h: a call as structs.
 * Written by chains from counter.h:5; changes are lost. */
#ifndef CHAINS_CALL_counter_H
#define CHAINS_CALL_counter_H

#include "counter.h"
#include "runtime/glue.h"

/* The outputs of a call, in order. */
struct chains_counter_output {
    uint64_t calls;
};

extern const chainsi_interface chains_counter_interface;
extern const chainsi_implementation chains_counter_implementation;

#endif
