/* The Kubernetes objects that a version of a chain is: of each Chainlet that has a process of its own a Deployment, a
 * headless Service, a PodDisruptionBudget, a NetworkPolicy and a ServiceAccount, and of the version a ConfigMap
 * that tells what it is.
 *
 * The same model and options give the same bytes. Nothing is built, and no cluster asked. docs/kubernetes.md tells
 * what is in the objects and why. */
#ifndef CHAINSI_KUBERNETES_MANIFESTS_H
#define CHAINSI_KUBERNETES_MANIFESTS_H

#include "compiler/service.h"
#include "kubernetes/image_map.h"

enum {
    CHAINSI_KUBERNETES_OLDEST = 20,  /* 1.20 */
    CHAINSI_KUBERNETES_DEFAULT = 30, /* what manifests are for unless it is said */
    CHAINSI_KUBERNETES_PORT = 8080,  /* calls */
    CHAINSI_KUBERNETES_PROBES = 8081,
};

/* Who says how many pods there are. */
typedef enum chainsi_autoscaler {
    CHAINSI_AUTOSCALER_CHAINS, /* chainsd in the cluster */
    CHAINSI_AUTOSCALER_NONE,   /* whoever applies them */
    CHAINSI_AUTOSCALER_HPA,    /* Kubernetes, by CPU */
    CHAINSI_AUTOSCALER_KNATIVE /* Knative: Chainlets are its Services */
} chainsi_autoscaler;

/* All zero: defaults. */
typedef struct chainsi_manifest_options {
    const char *chain;       /* NULL: the entrypoint's name */
    const char *version;     /* NULL: "v0-" and six digits of a hash of all that is written */
    const char *environment; /* NULL: "production" */
    const char *name_space;  /* NULL: whichever they are applied to */
    bool create_name_space;  /* with an object for it */
    const char *registry;    /* NULL: none, what a node has or Docker Hub */
    chainsi_image_map
        images; /* where images are not at their chain's and their own name, with the version as tag */
    const char *pull_secret; /* for the registry; NULL: none */
    const char *
        asset_claim; /* a PersistentVolumeClaim for files of .assets; NULL: a folder of the pod's */
    const char
        *near_claim; /* one of a folder of each node, where calls go to Chainlets that are `.near`;
                               NULL: they go by the network */
    const char
        *fetch_image; /* of the step that fetches them: sh, curl, sha256sum; NULL: curl's own */
    const char *front_door_name_space; /* NULL: the chain's own */
    const char
        *owner_uid;     /* of the version's ConfigMap, which then owns all else; NULL: not known */
    const char *deploy; /* JSON: what is deployed, as chainsd is told it; NULL: not known */
    const char *digest; /* what the ConfigMap has, of the identity; NULL: of all this */
    chainsi_autoscaler autoscaler;
    bool tls; /* between Chainlets, with certificates that chainsd makes */
    bool
        trial; /* for a dry run: names nothing that has to be there before, such as a ServiceAccount */
    int minor; /* 1.minor of the cluster; 0: CHAINSI_KUBERNETES_DEFAULT */
    bool json; /* a v1 List instead of YAML */
} chainsi_manifest_options;

/* Appends the objects. False with diagnostics, and nothing appended, if the chain can't run so (model->entrypoint must
 * not be NULL). */
bool chainsi_manifests_write(const chainsi_model *model, const chainsi_manifest_options *options,
                             chainsi_diagnostics *diagnostics, chainsi_buffer *out);
/* What a version is known by; texts in arena. */
typedef struct chainsi_manifest_identity {
    const char *version;
    const char *digest;     /* of all that is written, whatever the version is called */
    const char *config_map; /* names of objects: the version's, */
    const char *secret;     /* and the chain's with its secrets */
} chainsi_manifest_identity;
void chainsi_manifests_identify(const chainsi_model *model, const chainsi_manifest_options *options,
                                chainsi_arena *arena, chainsi_manifest_identity *identity);
/* "chains", "none", "hpa", "knative". False: none of them. */
bool chainsi_autoscaler_read(const char *text, chainsi_autoscaler *autoscaler);
const char *chainsi_autoscaler_name(chainsi_autoscaler autoscaler);
/* Whether its number of pods is a HorizontalPodAutoscaler's: there may be more than it begins with. */
bool chainsi_autoscaler_is_hpa(chainsi_autoscaler autoscaler, const chainsi_service *service);
/* The version of the API that they are written in for a cluster of 1.minor. */
const char *chainsi_autoscaler_hpa_api(int minor);

#endif
