/* What verbs about a chain's sources begin and end with: its model, and the report of what is wrong. */
#ifndef CHAINSI_CLI_CHAIN_H
#define CHAINSI_CLI_CHAIN_H

#include "cli/options.h"
#include "compiler/build.h"

typedef struct chainsi_chain {
    chainsi_model *model; /* owned */
    chainsi_diagnostics diagnostics;
    const char *folder; /* as it was given */
} chainsi_chain;

/* Reads the chain in folder (NULL: here). entrypoint: from the command line, or NULL. False when it
 * is invalid; that has been reported on stderr. chainsi_chain_close must be called in any case. */
bool chainsi_chain_open(chainsi_chain *chain, const char *folder, const char *entrypoint,
                        bool needs_entrypoint);
/* Reports what a build added to the diagnostics, on stderr, and forgets it. */
void chainsi_chain_report(chainsi_chain *chain);
void chainsi_chain_close(chainsi_chain *chain);

#endif
