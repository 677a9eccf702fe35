/* What an environment has its Chainlets scaled by in place of their own options (`chains scale`), as the
 * state has it (store_environments.h), in memory: the Chainlets of every version that comes into the
 * environment are scaled by it, until it is reset. What it doesn't say is as the version says. Belongs to
 * one thread. */
#ifndef CHAINSI_CONTROL_SCALES_H
#define CHAINSI_CONTROL_SCALES_H

#include "control/store_environments.h"

typedef struct chainsi_scale_entry chainsi_scale_entry;

/* All zero at first. */
typedef struct chainsi_scales {
    chainsi_scale_entry *entries; /* owned */
} chainsi_scales;

void chainsi_scales_done(chainsi_scales *scales);
/* Of one Chainlet; the last one counts. Copied. */
void chainsi_scales_set(chainsi_scales *scales, const chainsi_stored_scale *scale);
/* Back to the Chainlet's own; what isn't there is none. */
void chainsi_scales_reset(chainsi_scales *scales, const char *chainlet);
/* NULL: by its own options. Until the next change. */
const chainsi_stored_scale *chainsi_scales_find(const chainsi_scales *scales, const char *chainlet);

#endif
