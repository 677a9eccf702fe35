/* What is given on the command line as `--input`, and how errors are shown there. */
#ifndef CHAINSI_RUNTIME_INPUT_H
#define CHAINSI_RUNTIME_INPUT_H

#include <stdbool.h>
#include <stdio.h>

#include <chains.h>

#include "base/buffer.h"

/* Appends the text of `--input`: itself, the contents of a file for "@FILE", or stdin for "-".
 * False: errno. Blocks. */
bool chainsi_input_read(const char *input, chainsi_buffer *text);
/* Prints an error for a person: its status and message, then its way, a hop a line, from the
 * entrypoint inwards. */
void chainsi_error_print(const chains_error *error, FILE *out);

#endif
