/* Opening a chain for a verb. */
#include "cli/chain.h"

#include <stdio.h>
#include <string.h>

#include "schema/json.h"

bool chainsi_chain_open(chainsi_chain *chain, const char *folder, const char *entrypoint,
                        bool needs_entrypoint)
{
    *chain = (chainsi_chain){ .folder = folder ? folder : "." };
    chainsi_diagnostics_init(&chain->diagnostics, chain->folder);
    chainsi_model_options options = { .entrypoint = entrypoint,
                                      .needs_entrypoint = needs_entrypoint };
    chain->model = chainsi_model_read(chain->folder, &options, &chain->diagnostics);
    bool good = chain->model && !chainsi_diagnostics_failed(&chain->diagnostics);
    chainsi_chain_report(chain);
    return good;
}

void chainsi_chain_report(chainsi_chain *chain)
{
    chainsi_diagnostics_sort(&chain->diagnostics);
    chainsi_diagnostics_print(&chain->diagnostics, stderr, chainsi_diagnostics_color(stderr));
    chainsi_diagnostics_done(&chain->diagnostics);
    chainsi_diagnostics_init(&chain->diagnostics, chain->folder);
}

void chainsi_chain_close(chainsi_chain *chain)
{
    chainsi_model_free(chain->model);
    chainsi_diagnostics_done(&chain->diagnostics);
}
