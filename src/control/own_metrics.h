/* What the daemon says of itself at /metrics: replicas and calls of each Chainlet as it sees them, what it
 * counts (meters.h), and how it does itself. */
#ifndef CHAINSI_CONTROL_OWN_METRICS_H
#define CHAINSI_CONTROL_OWN_METRICS_H

#include "control/route.h"

/* Appends it as Prometheus text, of the chains that shows says (NULL: of all). */
void chainsi_own_metrics_write(const chainsi_routes *routes,
                               bool (*shows)(void *user, const char *chain), void *user,
                               chainsi_buffer *out);

#endif
