/* kinds.call.h: a call as structs.
 * Written by chains from kinds.h:60; changes are lost. */
#ifndef CHAINS_CALL_kinds_H
#define CHAINS_CALL_kinds_H

#include "kinds.h"
#include "runtime/glue.h"

/* The inputs of a call, in order. */
struct chains_kinds_input {
    const kinds_all *all;
    kinds_labels labels;
    long long count;
};

/* The outputs of a call, in order. */
struct chains_kinds_output {
    kinds_all result;
    unsigned long long total;
};

extern const chainsi_interface chains_kinds_interface;
extern const chainsi_implementation chains_kinds_implementation;

#endif
