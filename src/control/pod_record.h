/* What the API server tells of pods, Deployments and ConfigMaps, as C structs: what of it matters here, and in words why
 * a pod isn't ready. Pure functions of a JSON text. */
#ifndef CHAINSI_CONTROL_POD_RECORD_H
#define CHAINSI_CONTROL_POD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

typedef enum chainsi_pod_phase {
    CHAINSI_POD_WAITING, /* no container runs: it isn't placed yet, its image comes, its start failed for now */
    CHAINSI_POD_STARTING, /* it runs, and isn't ready */
    CHAINSI_POD_READY,
    CHAINSI_POD_LEAVING, /* it is being deleted: no call goes there any more */
    CHAINSI_POD_ENDED,   /* it won't run again: evicted, its node is gone */
} chainsi_pod_phase;

/* A pod; texts are of the arena that it was read into. */
typedef struct chainsi_pod {
    const char *name, *uid;
    const char *object;     /* the Deployment that it is of; "": of none */
    const char *ip, *node;  /* ""; not known yet */
    const char *started_at; /* "2026-11-29T04:00:00Z"; when it was made, where it doesn't run */
    chainsi_pod_phase phase;
    bool hopeless;    /* waiting alone won't help: its image can't be had, a Secret lacks */
    bool may_pass;    /* and yet it may, by what others do: the registry answers again */
    bool crashing;    /* its container ends again and again */
    const char *why;  /* why it isn't ready: "ImagePullBackOff: Back-off pulling image ..."; "" */
    int64_t restarts; /* of its container */
    const char *last_end; /* how that ended last: "exit status 1"; "": it never did */
    bool out_of_memory;   /* so */
} chainsi_pod;

typedef struct chainsi_pod_deployment {
    const char *name;
    const char *chain, *version; /* of its labels; "" */
    int64_t replicas;            /* that there should be */
    const char *why;             /* why not all of them can be made: a quota that forbids; "" */
} chainsi_pod_deployment;

/* A ConfigMap that says what a version is (kubernetes/manifests.h). */
typedef struct chainsi_pod_version {
    const char *name, *uid;
    const char *chain, *version;   /* data; "", or no names, where somebody has changed them */
    const char *deploy, *services; /* data: deploy.json, services.json; "" */
    bool tls;                      /* data: tls is "on" */
    const char *chain_label, *version_label; /* "": none */
    const char *autoscaler;                  /* data: "chains", "hpa" ...; "": chains */
    const char *state, *message;     /* annotations chains.dev/state, chains.dev/message; "" */
    const char *requested, *handled; /* annotations chains.dev/requested, chains.dev/handled; "" */
    bool leaving;                    /* it is being deleted */
} chainsi_pod_version;

/* False with a reason where it isn't such an object. */
bool chainsi_pod_read(const char *json, size_t size, chainsi_arena *arena, chainsi_pod *pod,
                      char *why, size_t why_size);
bool chainsi_pod_deployment_read(const char *json, size_t size, chainsi_arena *arena,
                                 chainsi_pod_deployment *deployment, char *why, size_t why_size);
bool chainsi_pod_version_read(const char *json, size_t size, chainsi_arena *arena,
                              chainsi_pod_version *version, char *why, size_t why_size);

#endif
