/* Versions that are deployed to a cluster: a ConfigMap that is new is a version to deploy, as a POST to /api/v1/chains is
 * on one machine; what becomes of it is written on it.
 *
 *   chains.dev/state    deploying, running, trying (a canary), standing-by (it was ready, another one answers), failed
 *   chains.dev/message  why; absent: nothing is to be said
 *   chains.dev/requested, chains.dev/handled   whoever wants a version that is there already to answer again writes
 *                       another text as requested; it is promoted, and handled says the same
 *
 * A ConfigMap that goes takes its version along, and the last one its chain; a version or a chain that is forgotten here
 * takes its ConfigMaps along. A version that is of no environment has no pods. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_POD_VERSIONS_H
#define CHAINSI_CONTROL_POD_VERSIONS_H

#include "cluster/cluster.h"
#include "control/registry.h"

typedef struct chainsi_pod_versions chainsi_pod_versions;

/* Begins, with what is there: after the registry was restored. registry->supervisor->pods is set. Never NULL; it is the
 * registry's pod_versions from now on. */
chainsi_pod_versions *chainsi_pod_versions_new(chainsi_registry *registry,
                                               const chainsi_cluster *cluster);
/* NULL is allowed. */
void chainsi_pod_versions_free(chainsi_pod_versions *versions);

/* Something has become of some version. NULL is allowed, here and below: there is no cluster. */
void chainsi_pod_versions_review_later(chainsi_pod_versions *versions);
/* A version isn't kept any more; a chain isn't. */
void chainsi_pod_versions_remove(chainsi_pod_versions *versions, const char *chain, int64_t number);
void chainsi_pod_versions_remove_all(chainsi_pod_versions *versions, const char *chain);
/* Whether a version may answer in an environment: its pods are made for the one that it was deployed to. */
chains_status chainsi_pod_versions_check_promotion(const chainsi_registry *registry,
                                                   const char *chain, const char *environment,
                                                   const char *version, char *why, size_t why_size);

#endif
