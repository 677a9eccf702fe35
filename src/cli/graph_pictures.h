/* The pictures that `chains graph` shows: of a chain's headers, and of a chain that is deployed. Pure. */
#ifndef CHAINSI_CLI_GRAPH_PICTURES_H
#define CHAINSI_CLI_GRAPH_PICTURES_H

#include "cli/live.h"
#include "cli/picture.h"
#include "compiler/model.h"
#include "control/api.h"

/* What the headers say: names, what they want of the machine, and options of calls. In arena; points into the model. */
void chainsi_graph_of_model(const chainsi_model *model, chainsi_arena *arena,
                            chainsi_picture *picture);

/* What runs: states, replicas, calls in flight, and how often what is called. In arena; points into the chain. */
void chainsi_graph_of_chain(const chainsi_api_chain *chain, const chainsi_live *live,
                            chainsi_arena *arena, chainsi_picture *picture);
/* The same as JSON: appends {"chain", "environment", "version", "state", "entrypoint", "seconds", "chainlets": [{"name", "state", "ready", "wanted",
 * "in_flight", "waiting", RATE}], "calls": [{"from", "to", RATE}]} with RATE: "calls_per_s", "failed_per_s", "p50_ms", "p99_ms". Times are null where
 * none was measured; seconds is how long it was. */
void chainsi_graph_chain_json(const chainsi_api_chain *chain, const chainsi_live *live,
                              chainsi_buffer *out);

#endif
