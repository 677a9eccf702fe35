/* What the process of a replica writes to stdout and stderr, from its pipe into the log of its Chainlet. Belongs to the
 * thread of the loop. */
#ifndef CHAINSI_CONTROL_REPLICA_OUTPUT_H
#define CHAINSI_CONTROL_REPLICA_OUTPUT_H

#include "control/replica.h"

/* Has it logged as it comes; takes the end of the pipe. -1: there is none. */
void chainsi_replica_begin_output(chainsi_replica *replica, int fd);
/* Its process has ended: logs what it has left in the pipe, and reads no more. */
void chainsi_replica_end_output(chainsi_replica *replica);

#endif
