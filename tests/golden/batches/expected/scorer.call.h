/* scorer.call.h: a call as structs.
 * Written by chains from scorer.h:11; changes are lost. */
#ifndef CHAINS_CALL_scorer_H
#define CHAINS_CALL_scorer_H

#include "scorer.h"
#include "runtime/glue.h"

/* The inputs of a call, in order. */
struct chains_scorer_input {
    const char *text;
    const scorer_hint *hint;
    scorer_hints hints;
    long long count;
};

/* The outputs of a call, in order. */
struct chains_scorer_output {
    const char *label;
    double score;
};

extern const chainsi_interface chains_scorer_interface;
extern const chainsi_implementation chains_scorer_implementation;

#endif
