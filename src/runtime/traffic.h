/* How many bytes of calls and answers this process has sent and received, and in which way: what /metrics
 * says about copies. */
#ifndef CHAINSI_RUNTIME_TRAFFIC_H
#define CHAINSI_RUNTIME_TRAFFIC_H

#include "base/attachments.h"

typedef struct chainsi_traffic {
    uint64_t socket; /* bytes of bodies that went through sockets */
    uint64_t copied; /* bytes of values that were copied to shared memory to send them */
    uint64_t shared; /* bytes of values that were sent or received in shared memory as they lay */
} chainsi_traffic;

/* Count a message between Chainlets, before its attachments are done. attachments may be NULL. Any
 * thread. */
void chainsi_traffic_sent(size_t body_size, const chainsi_attachments *attachments);
/* named: bytes that its references named. */
void chainsi_traffic_received(size_t body_size, uint64_t named);
chainsi_traffic chainsi_traffic_read(void);

#endif
