/* How much is asked of a Chainlet now: calls that run, and calls that wait for a slot. Both are read
 * where they are, without asking any process: the board's words and its callers' counts
 * (rpc/board.h), and the length of the listening socket's queue, which the kernel tells by sock_diag.
 *
 * Reading costs some microseconds and blocks nowhere. Of one thread. */
#ifndef CHAINSI_CONTROL_DEMAND_H
#define CHAINSI_CONTROL_DEMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "rpc/board.h"

typedef struct chainsi_demand {
    uint32_t running;  /* slots that are claimed or run a call */
    uint32_t waiting;  /* calls that wait for a slot; those of clients without a board, too */
    uint32_t slots;    /* of all replicas that take calls by the board */
    uint32_t replicas; /* those */
    uint64_t turns;    /* another number than before: calls have ended since */
} chainsi_demand;

/* A way to ask the kernel: a netlink socket, CLOEXEC; -1 with errno. */
int chainsi_demand_open(void);

/* Connections that wait in the queue of a listening Unix socket. diag_fd: of chainsi_demand_open. False
 * with errno if the kernel doesn't say. */
bool chainsi_demand_queued(int diag_fd, int listen_fd, uint32_t *queued);

/* What is asked of the Chainlet with this board (NULL: none, then only waiting is known) and listening
 * socket. Where one source is silent, the other is believed. */
chainsi_demand chainsi_demand_read(int diag_fd, int listen_fd, chainsi_board *board);

#endif
