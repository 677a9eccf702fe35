/* What the ConfigMap of a version says (kubernetes/manifests.h), and whether it may: whoever can write one may have written
 * anything. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_POD_CONFIG_MAP_H
#define CHAINSI_CONTROL_POD_CONFIG_MAP_H

#include "control/api.h"
#include "control/pods.h"

/* services.json: a Chainlet, and what its Deployment and its Service are called. */
typedef struct chainsi_pod_object {
    const char *name, *object;
} chainsi_pod_object;
typedef struct chainsi_pod_objects {
    chainsi_pod_object *items;
    size_t count;
} chainsi_pod_objects;

/* Both: false with a reason. */
bool chainsi_pod_objects_read(const chainsi_known_version *known, chainsi_arena *arena,
                              chainsi_pod_objects *found, char *why, size_t why_size);
/* The deployment that it asks for, in the arena, but for what chainsi_api_check_deploy checks. Its Deployments are no other
 * version's, as far as they are there. */
bool chainsi_pod_version_read_deploy(chainsi_pods *pods, const chainsi_known_version *known,
                                     chainsi_arena *arena, chainsi_api_deploy *deploy, char *why,
                                     size_t why_size);
/* Whether chain and version are names, which go into paths, events and objects' names; false with a reason. */
bool chainsi_pod_version_check_names(const chainsi_pod_version *said, char *why, size_t why_size);
/* The ConfigMap that has the labels of the version of a chain under other names, so that its Deployments are that version's;
 * NULL. */
const chainsi_known_version *chainsi_pods_renamed(chainsi_pods *pods, const char *chain,
                                                  const char *version);
/* Whether a Deployment, which may not be there yet, is of the version. */
bool chainsi_pod_version_owns(const chainsi_pod_set *set, const chainsi_pod_version *said);

#endif
