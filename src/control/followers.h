/* Collections of a cluster's API followed on threads, told to a loop as notes: objects that were read already.
 * Belongs to the thread of the loop, but for the threads' own part. */
#ifndef CHAINSI_CONTROL_FOLLOWERS_H
#define CHAINSI_CONTROL_FOLLOWERS_H

#include <uv.h>

#include "cluster/cluster.h"
#include "control/pod_record.h"

typedef enum chainsi_collection {
    CHAINSI_PODS_OF_CHAINS,
    CHAINSI_DEPLOYMENTS_OF_CHAINS,
    CHAINSI_VERSIONS_OF_CHAINS,
    CHAINSI_COLLECTIONS,
} chainsi_collection;

typedef enum chainsi_note_kind {
    CHAINSI_NOTE_OBJECT,
    CHAINSI_NOTE_GONE,
    CHAINSI_NOTE_LIST_BEGINS, /* all that there is comes; */
    CHAINSI_NOTE_LIST_ENDS,   /* what didn't is gone */
} chainsi_note_kind;

typedef struct chainsi_note {
    chainsi_collection of;
    chainsi_note_kind kind;
    chainsi_arena arena; /* of the texts; whoever is told may take it */
    union {
        chainsi_pod pod;
        chainsi_pod_deployment deployment;
        chainsi_pod_version version;
    };
    struct chainsi_note *next;
} chainsi_note;

typedef struct chainsi_followers chainsi_followers;

/* on_note: from the loop, or from within chainsi_followers_await. */
chainsi_followers *chainsi_followers_new(uv_loop_t *loop, const chainsi_cluster *cluster,
                                         void (*on_note)(void *user, chainsi_note *note),
                                         void *user);
/* Blocks until there are notes, or so long; tells them. */
void chainsi_followers_await(chainsi_followers *followers, int timeout_ms);
/* Why a collection can't be followed at present; "": it can. Lives until the next call of any function here. */
const char *chainsi_followers_trouble(chainsi_followers *followers, chainsi_collection of);
/* Ends the threads. NULL is allowed. */
void chainsi_followers_free(chainsi_followers *followers);

#endif
