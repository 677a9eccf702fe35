/* A want: a caller's place in the queue of one replica, by which it is told of a free slot, as
 * rpc/grants.h says. One connection, which is watched beside others: nothing here blocks. Used by the
 * files of a set of replicas only (rpc/replicas.h), one thread at a time. */
#ifndef CHAINSI_RPC_WANT_H
#define CHAINSI_RPC_WANT_H

#include "rpc/client.h"
#include "rpc/grants.h"

typedef struct chainsi_want chainsi_want;

typedef enum chainsi_want_end {
    CHAINSI_WANT_WAITS,   /* nothing has come yet */
    CHAINSI_WANT_GRANTED, /* a slot is kept for the connection: see chainsi_want_take */
    CHAINSI_WANT_FULL,    /* as many wait there as may */
    CHAINSI_WANT_PLAIN,   /* it doesn't know of wants */
    CHAINSI_WANT_LOST,    /* it can't be reached, or drains */
} chainsi_want_end;

/* Wants a slot where the client calls, on a connection that it has kept, or on a fresh one. NULL with errno: it can't
 * be reached. */
chainsi_want *chainsi_want_new(chainsi_client *client);
/* Closes the connection, which withdraws what was wanted or granted. NULL is allowed. */
void chainsi_want_free(chainsi_want *want);
/* What to watch it for. The descriptor may be another one after each look. */
int chainsi_want_fd(const chainsi_want *want);
short chainsi_want_events(const chainsi_want *want);
/* Whether it is connected, and hands are shaken. */
bool chainsi_want_is_open(const chainsi_want *want);
/* Does what can be done now. After any end but WAITS the want is of no further use; *slots: what the
 * replica said, total 0: nothing. */
chainsi_want_end chainsi_want_look(chainsi_want *want, chainsi_grants_slots *slots);
/* The connection of one that was granted, in blocking mode, the caller's from now on; frees the want. */
chainsi_channel chainsi_want_take(chainsi_want *want);

#endif
