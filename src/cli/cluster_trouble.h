/* Why Chainlets of a version don't become ready in a cluster, from what the API server says of their objects. Pure
 * functions. */
#ifndef CHAINSI_CLI_CLUSTER_TROUBLE_H
#define CHAINSI_CLI_CLUSTER_TROUBLE_H

#include "cli/cluster_view.h"

typedef struct chainsi_trouble {
    const char *chainlet;  /* as its label says */
    const char *object;    /* "pod hello-v1-hello-6d9f-x2x7p" */
    const char *what;      /* what is wrong with it */
    const char *hint;      /* the next step; NULL: there is none to name */
    const char *pod;       /* whose log tells more, */
    const char *container; /* of which container; NULL: none does */
    bool again;            /* that log is of the one before, which has ended */
    bool certain;          /* it doesn't pass by itself */
} chainsi_trouble;

typedef struct chainsi_troubles {
    chainsi_trouble *items;
    size_t count;
} chainsi_troubles;

/* What is looked at. */
typedef struct chainsi_cluster_scene {
    const char *name_space;
    const char *secret;                   /* the name of the Secret with the chain's secrets */
    const chainsi_view_list *deployments; /* or Knative's Services */
    const chainsi_view_list *pods;
    const chainsi_view_events *events; /* of pods that want them; NULL: none */
    /* Pods as they were when what is waited for was applied, by uid; NULL: none were there. What they had come to by then
     * decides nothing: it may have been mended, and pods that are to go stay for a while. */
    const chainsi_view_list *before;
} chainsi_cluster_scene;

/* At most one a Chainlet, those that are certain first, in arena. */
chainsi_troubles chainsi_troubles_find(const chainsi_cluster_scene *scene, chainsi_arena *arena);
/* Whether events may tell more: a pod doesn't run, and may not say why. */
bool chainsi_troubles_want_events(const chainsi_view_object *pod);

#endif
