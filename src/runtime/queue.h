/* How many calls of a Chainlet may wait: .max_queue. */
#ifndef CHAINSI_RUNTIME_QUEUE_H
#define CHAINSI_RUNTIME_QUEUE_H

#include <chains.h>

enum {
    CHAINSI_QUEUE_LEAST = 64, /* where .max_queue is unset */
    /* The most that is ever asked for; also what "unlimited" is. The kernel lowers the queue of a
     * listening socket to net.core.somaxconn. */
    CHAINSI_QUEUE_MOST = 1000000,
};

/* From 1 to CHAINSI_QUEUE_MOST: .max_queue; where it is unset, twice the slots of all replicas that
 * there may be (.concurrency times .batch.max_size times .max_replicas), at least
 * CHAINSI_QUEUE_LEAST. config may be NULL. */
int chainsi_queue_most(const chains_config *config);
/* The backlog for listen() on a Unix socket that so many connections may wait on: the kernel's queue
 * holds one more than its backlog. */
int chainsi_queue_backlog(int most);

#endif
