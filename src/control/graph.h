/* An environment as it works now, for those who look: its Chainlets as boxes, the calls between them as
 * arrows, both with what came of them in the last seconds (sampler.h).
 *
 *   GET /api/v1/chains/CHAIN/environments/ENVIRONMENT/graph   -> api_graph
 *
 * Boxes are the services of the version that answers, the Chainlets that are linked into them, and the
 * external services that they call, as far as the deployment tells of these. Calls within a process aren't
 * counted, nor are those that an external service gets from others: what isn't known is null. */
#ifndef CHAINSI_CONTROL_GRAPH_H
#define CHAINSI_CONTROL_GRAPH_H

#include "control/api_graph.h"
#include "control/environment.h"
#include "control/sampler.h"

/* Its memory is arena's and the environment's. False: there is nothing to show. */
bool chainsi_graph_describe(const chainsi_environment *environment, const chainsi_sampler *sampler,
                            chainsi_arena *arena, chainsi_api_graph *graph);
/* What its clients' calls came to of late; in arena. NULL: nobody counts, as the daemon ends. */
const chainsi_api_clients *chainsi_clients_describe(const chainsi_sampler *sampler,
                                                    const char *chain, const char *environment,
                                                    chainsi_arena *arena);
/* The same for each of a list. */
void chainsi_clients_add(const chainsi_sampler *sampler, chainsi_arena *arena,
                         chainsi_api_chains *list);

#endif
