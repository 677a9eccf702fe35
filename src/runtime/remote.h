/* What one call (remote.c) and many at once (fanout.h) to a Chainlet elsewhere have in common. */
#ifndef CHAINSI_RUNTIME_REMOTE_H
#define CHAINSI_RUNTIME_REMOTE_H

#include "rpc/client.h"
#include "rpc/link.h"
#include "rpc/near.h"
#include "rpc/replicas.h"
#include "runtime/callee.h"

struct chainsi_remote {
    const chainsi_interface *interface;
    chainsi_client *client; /* owned; NULL with replicas */
    chainsi_replicas
        *replicas;      /* owned; NULL: it isn't a Chainlet that may have several over TCP */
    chainsi_link *link; /* owned; NULL: it isn't a Chainlet on this machine */
    chainsi_near *near; /* owned; NULL: it isn't near, or there is a link */
    char *address;      /* owned */
};

/* What travels of a ctx. */
const char *chainsi_remote_request_id(const chains_ctx *ctx);
void chainsi_remote_trace(const chains_ctx *ctx, uint8_t trace_id[16], uint8_t span_id[8]);
/* Decodes the body of an ANSWER in place, into output and the arena of ctx, or records the failure
 * that it tells. Takes over the descriptors that came with it. */
chains_status chainsi_remote_read(chainsi_remote *remote, chains_ctx *ctx, uint8_t status,
                                  char *body, size_t size, const int *attachments, int count,
                                  void *output);

/* An exchange that wasn't answered. */
typedef struct chainsi_failed_exchange {
    chainsi_exchange_end end; /* not ANSWERED */
    int error;                /* as the exchange left it, like why */
    const char *why;
    uint64_t incarnation; /* of the replica that it was lost to; 0: not known */
    int64_t at_ns;        /* when it failed */
} chainsi_failed_exchange;

/* Records what it means. Where a replica was lost, and somebody notes why (rpc/losses.h), that is waited for, as
 * long as ctx isn't stopped. */
chains_status chainsi_remote_fail(chainsi_remote *remote, chains_ctx *ctx,
                                  const chainsi_failed_exchange *failed, chainsi_attempt *attempt);
/* For who can't block: when to ask again before that, so that it then returns at once; 0: now. */
int64_t chainsi_remote_look_again(const chainsi_remote *remote,
                                  const chainsi_failed_exchange *failed, int64_t now_ns);

#endif
