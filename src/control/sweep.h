/* When files of assets go that nobody wants any more: soon after versions have gone, and when a brain
 * begins. What versions name whose programs are kept stays; so does what somebody has asked for or
 * written to within the last minutes: a deployment that was given up may be tried again. That is looked
 * at once more when those minutes are over. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_SWEEP_H
#define CHAINSI_CONTROL_SWEEP_H

#include <uv.h>

#include "control/store.h"

enum { CHAINSI_SWEEP_SPARES_S = 10 * 60 /* what is younger stays, usually */ };

typedef struct chainsi_sweep chainsi_sweep;

/* home is copied; the store must outlive it; spares_s: how old in seconds what goes is at least. Doesn't
 * keep the loop running. Never NULL. */
chainsi_sweep *chainsi_sweep_new(uv_loop_t *loop, const char *home, chainsi_store *store,
                                 int spares_s);
/* Has the store of assets looked through soon. NULL is allowed, likewise below. */
void chainsi_sweep_ask(chainsi_sweep *sweep);
/* One that is under way ends by itself. */
void chainsi_sweep_free(chainsi_sweep *sweep);

#endif
