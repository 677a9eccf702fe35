/* What the machine has of what Chainlets ask for, other than GPUs (gpu.h). */
#ifndef CHAINSI_CONTROL_MACHINE_H
#define CHAINSI_CONTROL_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/cgroup.h"

typedef struct chainsi_machine {
    unsigned cores;        /* that the daemon may run on, and so its replicas */
    uint64_t memory_bytes; /* all of it, used or not */
} chainsi_machine;

void chainsi_machine_read(chainsi_machine *machine);

/* Says that a Chainlet is allowed more than there is: no limit then, and no mistake on a small machine
 * either. The note that a deployment shows. False: there is nothing to say. Pure. */
bool chainsi_machine_note(const chainsi_machine *machine, const char *chainlet,
                          const chainsi_cgroup_limits *limits, char *note, size_t size);

#endif
