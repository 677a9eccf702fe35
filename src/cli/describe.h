/* A chain as what is deployed: what the daemon is told, on one machine and in a cluster. */
#ifndef CHAINSI_CLI_DESCRIBE_H
#define CHAINSI_CLI_DESCRIBE_H

#include "cli/chain.h"
#include "control/api.h"

/* The chain under its entrypoint's name, in production, without a canary and without where it comes from, in arena.
 * services: those that were built, or that are only listed, whose binary then is "". */
chainsi_api_deploy chainsi_describe_deploy(const chainsi_model *model,
                                           const chainsi_service *services, size_t count,
                                           chainsi_arena *arena);
/* Fills in where it comes from: the digest of its sources, and who deploys. Reads files; blocks. */
void chainsi_describe_origin(const chainsi_model *model, const chainsi_words *fakes,
                             chainsi_arena *arena, chainsi_api_deploy *deploy);

#endif
