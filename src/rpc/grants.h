/* Slots over TCP: how a caller and the replicas of a Chainlet agree by HTTP that a call runs where a
 * slot is free. Replicas on one machine have a board for that (rpc/board.h); these are its words
 * between machines.
 *
 *   POST /run_remote                  -->  a slot is free and nothing waits for one: runs the call,
 *   X-Chains-Busy: refuse             <--  200, X-Chains-Slots: 2/4   (free ones / all of them)
 *                                     <--  else 503, X-Chains-Not-Started: 1, X-Chains-Slots: 0/4:
 *                                          not begun, and the connection stays
 *
 *   POST /slot                        -->  a want: waits in the replica's queue as a call does
 *                                     <--  200: a slot is kept for this connection, for
 *                                          CHAINSI_LEASE_MS
 *   POST /run_remote                  -->  runs in it. Or the caller closes, or is silent: then it
 *                                          is anybody's again
 *                                     <--  instead of 200: 429, as many wait as may; 503, it drains
 *
 * A replica that drains says "Connection: close" with everything that it answers.
 *
 * A replica takes these from whoever connects by TCP. A call without X-Chains-Busy waits in the
 * replica that it was sent to, as any client's. What answers without X-Chains-Slots knows nothing of all
 * this, and is called like a plain server. */
#ifndef CHAINSI_RPC_GRANTS_H
#define CHAINSI_RPC_GRANTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "rpc/http.h"

#define CHAINSI_GRANTS_PATH   "/slot"
#define CHAINSI_GRANTS_REFUSE "X-Chains-Busy: refuse\r\n" /* a header line of a call */

/* What a replica says of itself. */
typedef struct chainsi_grants_slots {
    uint32_t free, total;
} chainsi_grants_slots;

/* Whether a request is a want / a call that isn't to wait. */
bool chainsi_grants_is_want(const chainsi_http_request *request);
bool chainsi_grants_is_refusing(const chainsi_http_request *request);
/* Adds the header line. */
void chainsi_grants_add(chainsi_buffer *headers, chainsi_grants_slots slots);
/* Reads the header of an answer. False, and *slots untouched: there is none that makes sense. */
bool chainsi_grants_read(const chainsi_http_head *head, chainsi_grants_slots *slots);

#endif
