/* sink.call.h: a call as structs.
 * Written by chains from sink.h:5; changes are lost. */
#ifndef CHAINS_CALL_sink_H
#define CHAINS_CALL_sink_H

#include "sink.h"
#include "runtime/glue.h"

/* The inputs of a call, in order. */
struct chains_sink_input {
    const char *text;
};

extern const chainsi_interface chains_sink_interface;
extern const chainsi_implementation chains_sink_implementation;

#endif
