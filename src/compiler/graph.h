/* The graph of a chain for programs, and what people are told of its parts. */
#ifndef CHAINSI_COMPILER_GRAPH_H
#define CHAINSI_COMPILER_GRAPH_H

#include "base/buffer.h"
#include "compiler/model.h"

/* Appends what a Chainlet takes and gives: "(text: text, voice?: text = "alto") -> sound: bytes". */
void chainsi_graph_signature(const chainsi_model_chainlet *chainlet, chainsi_buffer *out);
/* Appends how a dependency is called, where its CHAINS_DEPENDS says so: "retries 2, timeout 50 ms, in its caller's process"; else nothing. */
void chainsi_graph_options(const chainsi_model_dependency *dependency, chainsi_buffer *out);
/* Appends what its process wants of the machine: "2 cores, 4 GiB, A10G:1"; nothing if it says nothing. */
void chainsi_graph_hardware(const chainsi_model_chainlet *chainlet, chainsi_buffer *out);
/* Appends one object: {"entrypoint": name or null, "chainlets": [{"name", "c_name", "file", "line",
 * "external", "description", "cpu" (cores), "memory" (bytes), "gpu" ("KIND:COUNT", or null), "inputs": [{"name", "type", "optional", "default"}], "outputs": [{"name",
 * "type"}], "stream": {"name", "type"} or null, "dependencies": [{"name", "parameter",
 * "retries", "timeout_ms", "colocate"}]}]}, callees first. Defaults are as the header has them, in C. */
void chainsi_graph_json(const chainsi_model *model, chainsi_buffer *out);

#endif
