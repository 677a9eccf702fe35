/* Replicas on the caller's node that are in other containers: neither process has descriptors of the other, nor
 * sees its processes, but both have a folder of the node (a volume). There a replica that is called over TCP offers,
 * beside that, what callers on one machine have (rpc/link.h): a Unix socket, which takes frames with shared
 * memory beside them, and a board of its own slots.
 *
 *   FOLDER/<16 hex of the incarnation>          its socket of calls, for callers with a claim
 *   FOLDER/<16 hex of the incarnation>.board    gives who connects the board's memory, and closes
 *
 * Whoever runs as the same user and has the folder may call: one chain's containers. Calls that find no free slot on
 * any of the boards go over TCP, to any replica. */
#ifndef CHAINSI_RPC_NEAR_H
#define CHAINSI_RPC_NEAR_H

#include "rpc/link.h"

enum {
    CHAINSI_NEAR_MOST = 64, /* replicas of one folder that are called; the rest is left out */
    CHAINSI_NEAR_PATH = 80, /* bytes of a folder's path at most: a socket's has 107 */
    CHAINSI_NEAR_PATIENCE_MS = 100, /* a board has to come within so long */
};

/* ------------------------------------------------------------------------------------------------
 * a replica */

typedef struct chainsi_near_offer chainsi_near_offer;

/* Makes the folder, if it isn't there (not those above it), removes from it what replicas have left that are gone, and
 * offers there: *seat, on a board of its own, with so many slots, and *fd, a listening socket for a server's direct_fd.
 * A thread gives the board to who asks. NULL with a reason. */
chainsi_near_offer *chainsi_near_offer_new(const char *folder, uint32_t slots, chainsi_seat *seat,
                                           int *fd, char *why, size_t why_size);
/* Nobody finds it any more; calls that are claimed still come. Any thread, once. */
void chainsi_near_offer_end(chainsi_near_offer *offer);
/* Ends it, if it isn't, and frees the board, which no server may use any more. NULL is allowed. */
void chainsi_near_offer_free(chainsi_near_offer *offer);

/* ------------------------------------------------------------------------------------------------
 * callers; any thread */

typedef struct chainsi_near chainsi_near;
typedef struct chainsi_near_replica chainsi_near_replica;

/* folder is copied; it needn't be there yet. Looked at every CHAINSI_LOOKUP_MS while calls are made. */
chainsi_near *chainsi_near_new(const char *folder);
/* No call may be running. NULL is allowed. */
void chainsi_near_free(chainsi_near *near);
/* The next replica that has a free slot now, from number *next on (0 at first), which is moved behind it; NULL: none
 * has. To be given back. May look at the folder. */
chainsi_near_replica *chainsi_near_take(chainsi_near *near, int *next);
/* lost: it can't be reached any more. */
void chainsi_near_give(chainsi_near *near, chainsi_near_replica *replica, bool lost);
/* Lives as long as the replica isn't given back. Calls are to be `claimed_only`. */
chainsi_link *chainsi_near_link(const chainsi_near_replica *replica);

#endif
