/* translator.call.h: a call as structs.
 * Written by chains from front/front.h:6; changes are lost. */
#ifndef CHAINS_CALL_translator_H
#define CHAINS_CALL_translator_H

#include "front/front.h"
#include "runtime/glue.h"

/* The inputs of a call, in order. */
struct chains_translator_input {
    const char *text;
};

/* The outputs of a call, in order. */
struct chains_translator_output {
    const char *translated;
};

extern const chainsi_interface chains_translator_interface;
extern const chainsi_implementation chains_translator_implementation;

#endif
