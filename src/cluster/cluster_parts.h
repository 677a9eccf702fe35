/* What a chainsi_cluster is made of; for this folder alone. */
#ifndef CHAINSI_CLUSTER_CLUSTER_PARTS_H
#define CHAINSI_CLUSTER_CLUSTER_PARTS_H

#include "cluster/transfer.h"

struct chainsi_cluster {
    chainsi_login *login; /* one of its owners */
    chainsi_cluster_line line;
    int64_t timeout_ms;      /* of one attempt; 0: as long as bytes come */
    const atomic_bool *stop; /* or NULL */
};

/* Waits so long, or until *stop (which may be NULL). */
void chainsi_cluster_pause(int64_t ms, const atomic_bool *stop);

/* Makes of what others have said a text for a line: without control characters. Cut where it gets too long. */
void chainsi_cluster_make_plain(char *text, size_t size);

#endif
