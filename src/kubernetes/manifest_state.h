/* What the files that write manifests share. */
#ifndef CHAINSI_KUBERNETES_MANIFEST_STATE_H
#define CHAINSI_KUBERNETES_MANIFEST_STATE_H

#include "kubernetes/document.h"
#include "kubernetes/manifests.h"

typedef struct chainsi_manifest {
    const chainsi_model *model;
    chainsi_manifest_options options; /* with defaults filled in */
    const char *digest;               /* NULL until it is known */
    chainsi_arena *arena;
    chainsi_document document;
    const chainsi_service *services; /* callees before callers */
    size_t service_count;
} chainsi_manifest;

/* The name of the objects of a Chainlet, and of those of the version. */
const char *chainsi_manifest_name(const chainsi_manifest *manifest,
                                  const chainsi_model_chainlet *chainlet);
const char *chainsi_manifest_version_name(const chainsi_manifest *manifest);
/* The name of the Secret with the chain's secrets. */
const char *chainsi_manifest_secret_name(const chainsi_manifest *manifest);
/* Writes the labels that a selector goes by, into the map that is open: chain, version, Chainlet. */
void chainsi_manifest_match(chainsi_manifest *manifest, const chainsi_model_chainlet *chainlet);
/* The same in matchLabels of a map called key (NULL: an item of a list). */
void chainsi_manifest_select(chainsi_manifest *manifest, const char *key,
                             const chainsi_model_chainlet *chainlet);
/* Writes "labels": these, and what others look for. chainlet NULL: of the version. */
void chainsi_manifest_labels(chainsi_manifest *manifest, const chainsi_model_chainlet *chainlet);

/* Begins an object, with its metadata. chainlet NULL: the version's. */
void chainsi_manifest_open(chainsi_manifest *manifest, const char *api, const char *kind,
                           const chainsi_model_chainlet *chainlet);

/* autoscaler.c: writes the HorizontalPodAutoscaler of a Chainlet that has one. */
void chainsi_manifest_autoscaler(chainsi_manifest *manifest, const chainsi_service *service);
/* Whether somebody in the cluster says how many pods there are. */
bool chainsi_manifest_is_scaled(const chainsi_manifest *manifest, const chainsi_service *service);
/* Replicas that it begins with, and has at least: one, as a version counts as there when each of its Chainlets has
 * started. */
int chainsi_manifest_least(const chainsi_service *service);
/* What stands in the way of one. */
void chainsi_manifest_check_autoscaler(const chainsi_manifest *manifest,
                                       const chainsi_service *service,
                                       chainsi_diagnostics *diagnostics);

/* knative.c: Chainlets as Knative's Services, with its ways to say what else is said in a Deployment. */
#define CHAINSI_MANIFEST_KNATIVE "serving.knative.dev/v1"
bool chainsi_manifest_is_knative(const chainsi_manifest *manifest);
void chainsi_manifest_knative_service(chainsi_manifest *manifest, const chainsi_service *service);
/* Writes "annotations" of its template, by which it scales; and into its spec what it holds calls to. */
void chainsi_manifest_knative_scaling(chainsi_manifest *manifest, const chainsi_service *service);
void chainsi_manifest_knative_limits(chainsi_manifest *manifest, const chainsi_service *service);
/* What stands in the way of one. */
void chainsi_manifest_check_knative(const chainsi_manifest *manifest,
                                    chainsi_diagnostics *diagnostics);

/* pod.c: writes "template" of a Deployment. */
void chainsi_manifest_pod(chainsi_manifest *manifest, const chainsi_service *service);
/* The seconds that its pods have from SIGTERM, or what stands before it, to their end. */
int64_t chainsi_manifest_grace_s(const chainsi_manifest *manifest, const chainsi_service *service);

/* pod_assets.c: what .assets need in a pod. */
/* Writes "initContainers", if it has any. */
void chainsi_manifest_asset_step(chainsi_manifest *manifest, const chainsi_service *service);
/* Writes the volumes, items of the list that is open, and where its container has them. */
void chainsi_manifest_asset_volumes(chainsi_manifest *manifest, const chainsi_service *service);
void chainsi_manifest_asset_mounts(chainsi_manifest *manifest, const chainsi_service *service);

/* --- pod_near.c --- */

/* Whether a caller wants it on its node; then, where it had better be. */
bool chainsi_manifest_is_near(const chainsi_manifest *manifest, const chainsi_service *service);
void chainsi_manifest_near_affinity(chainsi_manifest *manifest, const chainsi_service *service);
/* Where the caller (NULL: any) finds the callee on its node; NULL: nowhere. */
const char *chainsi_manifest_near_folder(const chainsi_manifest *manifest,
                                         const chainsi_service *caller,
                                         const chainsi_model_chainlet *callee);
/* "CHAINS_PHI_LLM_NEAR" for phi_llm, in arena. */
const char *chainsi_manifest_near_variable(chainsi_arena *arena,
                                           const chainsi_model_chainlet *callee);
/* What has to do with it has the folder. */
void chainsi_manifest_near_mount(chainsi_manifest *manifest, const chainsi_service *service);
void chainsi_manifest_near_volume(chainsi_manifest *manifest, const chainsi_service *service);
bool chainsi_manifest_has_assets(const chainsi_service *service);
#define CHAINSI_MANIFEST_ASSETS_DIR "/run/chains/assets"

/* pod_security.c: */
/* Writes "securityContext" of a pod, and of a container, which says all of it where pods can't (Knative). */
void chainsi_manifest_pod_security(chainsi_manifest *manifest);
void chainsi_manifest_container_security(chainsi_manifest *manifest);

/* Writes an item of "volumeMounts". */
void chainsi_manifest_mount(chainsi_manifest *manifest, const char *name, const char *path,
                            bool read_only);
/* A text in which Kubernetes finds no $(VARIABLE). */
const char *chainsi_manifest_literal(const chainsi_manifest *manifest, const char *text);

#endif
