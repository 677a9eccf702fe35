/* Has a fleet be as large as what is asked of its Chainlet says: measures (demand.h), decides
 * (scaling.h), resizes (fleet.h).
 *
 *             a call waits, or a caller wakes               no call for .scale_to_zero_delay_s
 *   AT ZERO -------------------------------------> AWAKE ------------------------------------> AT ZERO
 *
 * AWAKE: all scalers of a daemon are asked by one timer, every second, and more often where a window
 * is shorter than ten; not at all those that have nothing to decide, as all they may have is there.
 * AT ZERO: no timer. The Chainlet's listening socket is watched, and only then: a replica would be
 * woken by the same calls, and a level-triggered watch comes again and again until somebody accepts.
 * The first call ends it. What has drained away meanwhile doesn't matter: a call that came too late for it
 * waits in the socket.
 *
 * Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_SCALER_H
#define CHAINSI_CONTROL_SCALER_H

#include "control/demand.h"
#include "control/fleet.h"
#include "control/scaling.h"

/* A change, for whoever keeps a history. */
typedef struct chainsi_scaled {
    int64_t from, to;   /* replicas that there should be */
    const char *reason; /* chainsi_scaling_reason_name, or "caller": woken with one that calls it */
    const char *text;   /* a sentence; until the call returns */
} chainsi_scaled;

typedef struct chainsi_scaler_options {
    chainsi_fleet *fleet; /* not owned; outlives the scaler */
    int calls_fd; /* the listening socket of its calls; likewise; -1: there is none, measure tells all */
    /* What is asked of the Chainlet, where no board and no socket of this machine tells. NULL: they do. */
    chainsi_demand (*measure)(void *user);
    chainsi_scaling_options scaling;
    /* A call came, and there was no replica: those that it is going to need may be woken, too. Comes
     * from the loop. */
    void (*on_woken)(void *user);
    /* Another number is wanted. Comes from the loop, and from the functions below. */
    void (*on_scaled)(void *user, const chainsi_scaled *scaled);
    void *user;
} chainsi_scaler_options;

typedef struct chainsi_scaler chainsi_scaler;

/* Begins with as many replicas as the fleet wants. Never NULL. */
chainsi_scaler *chainsi_scaler_new(const chainsi_scaler_options *options);
/* Ends it; the fleet stays as it is. NULL is allowed. */
void chainsi_scaler_free(chainsi_scaler *scaler);

/* Other options. Bounds hold at once, and what was measured is kept. */
void chainsi_scaler_set_options(chainsi_scaler *scaler, const chainsi_scaling_options *options);
/* A call waits: if there is no replica, it is woken. For what has no socket that could be watched. */
void chainsi_scaler_call_waits(chainsi_scaler *scaler);
/* Starts a replica if there is none: a Chainlet that calls this one is starting. */
void chainsi_scaler_wake(chainsi_scaler *scaler);
/* What is asked of the Chainlet now. */
chainsi_demand chainsi_scaler_measure(const chainsi_scaler *scaler);

#endif
