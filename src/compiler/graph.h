/* The graph of a chain, for people and for programs. */
#ifndef CHAINSI_COMPILER_GRAPH_H
#define CHAINSI_COMPILER_GRAPH_H

#include <stdio.h>

#include "base/buffer.h"
#include "compiler/model.h"

/* Prints a tree: who calls whom, with what each takes and gives. A Chainlet that was shown is only
 * named the next time. */
void chainsi_graph_text(const chainsi_model *model, FILE *out);
/* Appends one object: {"entrypoint": name or null, "chainlets": [{"name", "c_name", "file", "line",
 * "external", "description", "inputs": [{"name", "type", "optional", "default"}], "outputs": [{"name",
 * "type"}], "stream": {"name", "type"} or null, "dependencies": [{"name", "parameter",
 * "retries", "timeout_ms", "colocate"}]}]}, callees first. Defaults are as the header has them, in C. */
void chainsi_graph_json(const chainsi_model *model, chainsi_buffer *out);

#endif
