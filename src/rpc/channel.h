/* A connected TCP or Unix socket, with TLS or without: how bytes are moved over it without blocking. */
#ifndef CHAINSI_RPC_CHANNEL_H
#define CHAINSI_RPC_CHANNEL_H

#include <sys/types.h>
#include <sys/uio.h>

#include "rpc/tls.h"

typedef struct chainsi_channel {
    int fd;                       /* -1: none */
    chainsi_tls_session *session; /* of the program's engine; NULL: plain */
} chainsi_channel;

#define CHAINSI_NO_CHANNEL ((chainsi_channel){ .fd = -1 })

/* As read() and writev(), with *wait_for set to the poll() events to wait for where they would block,
 * else 0. What couldn't be written is to be written again, and nothing else before it. */
ssize_t chainsi_channel_read(const chainsi_channel *channel, void *data, size_t size,
                             short *wait_for);
ssize_t chainsi_channel_write(const chainsi_channel *channel, const struct iovec *parts,
                              size_t count, short *wait_for);
/* Ends the session, if there is one, and closes the descriptor; *channel is none afterwards. */
void chainsi_channel_close(chainsi_channel *channel);

#endif
