/* front.call.h: a call as structs.
 * Written by chains from front.h:6; changes are lost. */
#ifndef CHAINS_CALL_front_H
#define CHAINS_CALL_front_H

#include "front.h"
#include "runtime/glue.h"

/* The inputs of a call, in order. */
struct chains_front_input {
    const char *text;
};

/* The outputs of a call, in order. */
struct chains_front_output {
    double score;
};

extern const chainsi_interface chains_front_interface;
extern const chainsi_implementation chains_front_implementation;

#endif
