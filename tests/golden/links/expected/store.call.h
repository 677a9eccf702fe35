/* store.call.h: a call as structs.
 * Written by chains from store.h:5; changes are lost. */
#ifndef CHAINS_CALL_store_H
#define CHAINS_CALL_store_H

#include "store.h"
#include "runtime/glue.h"

/* The inputs of a call, in order. */
struct chains_store_input {
    const char *text;
};

extern const chainsi_interface chains_store_interface;
extern const chainsi_implementation chains_store_implementation;

#endif
