/* Which version a ConfigMap is of, where somebody has changed its data by hand: a version that is known stays what it was. For
 * another one it would be forgotten itself, with all that answers, or go when the other one does. Belongs to the thread of the
 * loop. */
#ifndef CHAINSI_CONTROL_POD_NAMES_H
#define CHAINSI_CONTROL_POD_NAMES_H

#include "control/database.h"
#include "control/pods.h"

/* Takes it for the version in the state that has the Deployments which it names, or its labels, if that isn't the one of its
 * data, and no other ConfigMap is that one's. */
void chainsi_pod_names_set_right(chainsi_pods *pods, chainsi_database *state,
                                 chainsi_known_version *known);

#endif
