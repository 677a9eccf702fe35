/* A trace as text: a row a span, with a bar where its time was. */
#ifndef CHAINSI_CLI_WATERFALL_H
#define CHAINSI_CLI_WATERFALL_H

#include "base/buffer.h"
#include "control/api_trace.h"

typedef struct chainsi_waterfall_style {
    size_t columns; /* of the terminal; at least 40 are used */
    bool unicode;   /* else ASCII alone */
    bool color;
} chainsi_waterfall_style;

/* Appends the trace. Of each span: what it is, indented below what called it, its duration, where there is room how long each of its phases
 * was, and a bar
 *   unicode   ASCII
 *   ░         .       it waited: in the callee's queue, or for one of .concurrency_limit
 *   ▒         =       it waited for calls that it had made
 *   ▓         :       it read the call's arguments, or wrote the answer
 *   █         #       it did something itself (or was on its way)
 * and below those where a failure was raised, what it says and where. What names and messages say is only shown
 * (base/terminal.h). */
void chainsi_waterfall_write(const chainsi_api_trace_tree *tree,
                             const chainsi_waterfall_style *style, chainsi_buffer *out);

/* Milliseconds as a person would say them: "12 µs" (ASCII: "12 us"), "1.23 ms", "4.5 s". */
void chainsi_waterfall_time(char text[32], double ms, bool unicode);

#endif
