/* A sample of a method's arguments, to begin with: what `chains deploy` suggests to call. */
#ifndef CHAINSI_COMPILER_SAMPLE_H
#define CHAINSI_COMPILER_SAMPLE_H

#include "base/buffer.h"
#include "compiler/model.h"

/* Appends a JSON object with the arguments that have no default and aren't optional. Values are made up, and
 * meet the limits where that is simple: the least of a range, the first of the values allowed, one item. */
void chainsi_sample_arguments(const chainsi_model_chainlet *chainlet, chainsi_buffer *out);

#endif
