/* A Chainlet whose replicas are pods: its calls, and what is asked of it. What chainlet.c does of processes by sockets
 * and boards. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_POD_CHAINLET_H
#define CHAINSI_CONTROL_POD_CHAINLET_H

#include "control/chainlet.h"

/* The pods that it has; NULL: its replicas are processes. */
struct chainsi_pod_set *chainsi_pod_chainlet_set(const chainsi_deployment *deployment,
                                                 const chainsi_api_service *service);
/* What the front door calls it by: its pods that are ready, as they come and go. */
chainsi_upstream *chainsi_pod_chainlet_open_calls(chainsi_chainlet *chainlet);
/* What it is called with is another identity (pod_identities.h). */
void chainsi_pod_chainlet_identify(const chainsi_chainlet *chainlet);
/* Its pods are others, or in other states. */
void chainsi_pod_chainlet_note(const chainsi_chainlet *chainlet);
/* Whether somebody else says how many pods there are (--autoscaler). */
bool chainsi_pod_chainlet_scaled_by_others(const chainsi_chainlet *chainlet);
/* Takes a chainsi_chainlet: what is asked of it, by its pods, its callers' pods and the front door. */
chainsi_demand chainsi_pod_chainlet_measure(void *chainlet);
/* Takes a chainsi_chainlet: one of its pods has said what is asked of it, and for whom it waits. */
void chainsi_pod_chainlet_measured(void *chainlet);

#endif
