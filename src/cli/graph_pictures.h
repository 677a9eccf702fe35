/* The pictures that `chains graph` shows: of a chain's headers, and of a chain that is deployed. Pure. */
#ifndef CHAINSI_CLI_GRAPH_PICTURES_H
#define CHAINSI_CLI_GRAPH_PICTURES_H

#include "cli/picture.h"
#include "compiler/model.h"
#include "control/api_graph.h"

/* What the headers say: names, what they want of the machine, and options of calls. In arena; points into the model. */
void chainsi_graph_of_model(const chainsi_model *model, chainsi_arena *arena,
                            chainsi_picture *picture);

/* What runs: states, replicas, calls in flight, and how often what is called. In arena; points into the graph. */
void chainsi_graph_of_chain(const chainsi_api_graph *graph, chainsi_arena *arena,
                            chainsi_picture *picture);

#endif
