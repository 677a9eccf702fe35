/* A fleet whose replicas are pods: what fleet.h promises, with the cluster's Deployment in the place of processes. Each pod
 * is a replica as long as it is there, so that whoever looks at replicas sees it; there is one without a pod where
 * none can be made, which tells why. Used by fleet.c alone, but for what is measured.
 *
 * Of each pod that is ready it is asked every second what is asked of it (GET /demand at its port of probes). */
#ifndef CHAINSI_CONTROL_POD_FLEET_H
#define CHAINSI_CONTROL_POD_FLEET_H

#include "control/demand.h"
#include "control/fleet.h"

enum {
    CHAINSI_POD_CALLS_PORT = 8080,
    CHAINSI_POD_PROBES_PORT = 8081,
};

/* Has the fleet act for its set of pods; another fleet that did has ended from now on. Whether its Deployment is
 * there. */
bool chainsi_pod_fleet_take_up(chainsi_fleet *fleet);
void chainsi_pod_fleet_leave(chainsi_fleet *fleet);
void chainsi_pod_fleet_resize(chainsi_fleet *fleet, int64_t wanted);
/* Wants none any more; or, if the controller is ending, lets go of it as it is. */
void chainsi_pod_fleet_stop(chainsi_fleet *fleet);
bool chainsi_pod_fleet_has_ended(const chainsi_fleet *fleet);
/* Looks at the pods again: policies have changed. */
void chainsi_pod_fleet_sync(chainsi_fleet *fleet);
void chainsi_pod_replica_free(chainsi_replica *replica);

/* What is asked of them, as far as they have said; replicas: those that have. */
chainsi_demand chainsi_pod_fleet_demand(const chainsi_fleet *fleet);
/* Calls of them that wait for a slot of the Chainlet of that name, or for one to be there. */
uint32_t chainsi_pod_fleet_waits(const chainsi_fleet *fleet, const char *callee);

#endif
