/* The probes of an elector: a thread that answers one connection after the other, each within a second or so. */
#ifndef CHAINSI_CONTROL_ELECTOR_HEALTH_H
#define CHAINSI_CONTROL_ELECTOR_HEALTH_H

#include <stdatomic.h>

#include "control/candidate.h"

typedef struct chainsi_elector_health chainsi_elector_health;

/* Listens on all addresses, or with here_only on those of this machine. NULL after a message. leads: whether the child runs. Both
 * must outlive it. */
chainsi_elector_health *chainsi_elector_health_start(int port, bool here_only,
                                                     chainsi_candidate *candidate,
                                                     const atomic_bool *leads);
/* NULL is allowed. */
void chainsi_elector_health_stop(chainsi_elector_health *health);

#endif
