/* A namespace of a Kubernetes cluster as the controller sees it: its pods, Deployments and versions, followed on
 * threads of their own, and what is asked of the API server.
 *
 *   three threads follow a collection each --notes--> the loop: this mirror, which tells whoever cares
 *   the loop --wishes--> one thread asks the API server, again and again until it is done or something else is wanted
 *
 * All functions belong to the thread of the loop; none but chainsi_pods_await and chainsi_pods_free blocks. */
#ifndef CHAINSI_CONTROL_PODS_H
#define CHAINSI_CONTROL_PODS_H

#include <uv.h>

#include "cluster/cluster.h"
#include "control/pod_record.h"

enum { CHAINSI_POD_TICK_MS = 1000 };

typedef struct chainsi_pods chainsi_pods;

/* A pod that is known. */
typedef struct chainsi_known_pod {
    chainsi_pod pod; /* its texts are its own, until it is told of again */
    chainsi_arena arena;
    struct chainsi_replica *replica; /* of who acts for its set; NULL: it has none yet */
    uint64_t seen;                   /* the mirror's */
    struct chainsi_known_pod *next;
} chainsi_known_pod;

/* The pods of one Deployment, which may not be there. Read-only for others. */
typedef struct chainsi_pod_set {
    const char *object; /* the Deployment's name; as long as the mirror */
    chainsi_known_pod *pods;
    bool exists;
    int64_t replicas; /* that the Deployment says there should be; 0 where it doesn't exist */
    char *chain, *version;
    char *why;    /* owned; why they can't be made, or not be scaled; "" */
    bool refused; /* that is why they can't be scaled */
    /* Who acts for it: one at a time. Something changed, in it or of its pods. */
    void (*on_change)(void *user);
    void (*on_tick)(void *user); /* every CHAINSI_POD_TICK_MS */
    void *user;
    int64_t wanted; /* the last that was wished for; -1: nothing was */
    uint64_t seen;
    struct chainsi_pod_set *next;
} chainsi_pod_set;

/* A version that is known, by its ConfigMap. */
typedef struct chainsi_known_version {
    chainsi_pod_version version;
    chainsi_arena arena;
    bool handled;     /* for whoever handles versions: it was told of before, */
    bool again;       /* it couldn't be, and is to be tried again; */
    bool resumes;     /* it is deployed as it answered before; */
    bool established; /* it is one that was deployed: it keeps its names */
    bool renamed;     /* its ConfigMap says other ones by now, which don't count */
    char *taken;      /* owned; the request that it was deployed or promoted for last; NULL: none */
    uint64_t seen;
    struct chainsi_known_version *next;
} chainsi_known_version;

typedef struct chainsi_pods_events {
    /* A version is new, or something of it has changed. */
    void (*on_version)(void *user, chainsi_known_version *version);
    /* It is gone, with all that it owned; freed when this returns. */
    void (*on_version_gone)(void *user, const chainsi_known_version *version);
    void *user;
} chainsi_pods_events;

/* Begins to follow. cluster isn't owned, and outlives it. Never NULL. */
chainsi_pods *chainsi_pods_new(uv_loop_t *loop, const chainsi_cluster *cluster);
/* Ends its threads; what is wished for and not done is left. NULL is allowed. */
void chainsi_pods_free(chainsi_pods *pods);
/* Blocks until all that there is has been told once. False with a reason after so long. */
bool chainsi_pods_await(chainsi_pods *pods, int timeout_ms, char *why, size_t why_size);
/* The cluster, of which others need a copy of their own. */
const chainsi_cluster *chainsi_pods_cluster(const chainsi_pods *pods);
/* From now on; what is known already is told at once. on_version NULL: nobody is told any more. */
void chainsi_pods_set_events(chainsi_pods *pods, const chainsi_pods_events *events);

/* The set of that name; never NULL, as long as the mirror. */
chainsi_pod_set *chainsi_pods_find(chainsi_pods *pods, const char *object);
/* All of them. */
chainsi_pod_set *chainsi_pods_sets(chainsi_pods *pods);
/* All versions. */
chainsi_known_version *chainsi_pods_versions(chainsi_pods *pods);
/* The version of a chain; of several that say they are it the one that was made first; NULL. */
chainsi_known_version *chainsi_pods_version(chainsi_pods *pods, const char *chain,
                                            const char *version);

/* Wishes; of the same kind for the same object the last one counts. */

/* So many replicas of a Deployment. */
void chainsi_pods_scale(chainsi_pods *pods, chainsi_pod_set *set, int64_t replicas);
/* What a version's ConfigMap is to say of it, and that the request was handled for which it was taken up. */
void chainsi_pods_annotate(chainsi_pods *pods, const chainsi_known_version *version,
                           const char *state, const char *message);
/* A version is to go: its ConfigMap, and so all that it owns; not one that has been made under its name since. */
void chainsi_pods_delete_version(chainsi_pods *pods, const chainsi_known_version *version);

#endif
