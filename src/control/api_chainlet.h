/* What there is to know of one Chainlet of an environment (api_chainlet.c).
 *
 *   GET /api/v1/chains/CHAIN[/environments/ENVIRONMENT]/chainlets/NAME           -> api_described
 *   GET /api/v1/chains/CHAIN[/environments/ENVIRONMENT]/chainlets/NAME/metrics   -> columns, for plotting
 *
 * Without an environment, of production. */
#ifndef CHAINSI_CONTROL_API_CHAINLET_H
#define CHAINSI_CONTROL_API_CHAINLET_H

#include "control/api_scale.h"

/* A service without what is the machine's: its program and its variables. */
typedef struct chainsi_api_described {
    const char *name, *c_name;
    const chainsi_api_service *config;
    const chainsi_stored_scale *override; /* NULL: none */
} chainsi_api_described;

extern const chainsi_type chainsi_api_described_type;

#endif
