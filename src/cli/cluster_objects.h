/* Objects of a version on their way into a cluster, and out of it. */
#ifndef CHAINSI_CLI_CLUSTER_OBJECTS_H
#define CHAINSI_CLI_CLUSTER_OBJECTS_H

#include "cli/cluster_session.h"

typedef struct chainsi_applied {
    size_t made;          /* that weren't there */
    size_t changed;       /* that others had changed, and are as they were again */
    chainsi_buffer notes; /* what of each, a line each; owned */
} chainsi_applied;

/* Applies the items of a v1 List in order, by server-side apply; only: those of this kind alone, but: all but those (NULL: of no
 * kind). try: nothing is changed, it is only asked whether it could be. False, said on stderr, with the first that the cluster
 * refuses. */
bool chainsi_objects_apply(chainsi_cluster_session *session, const chainsi_buffer *list,
                           const char *only, const char *but, bool try, chainsi_applied *applied);
/* Deletes one, with all that it owns; one that isn't there is fine. False, said on stderr. */
bool chainsi_object_delete(chainsi_cluster_session *session, const char *path);

#endif
