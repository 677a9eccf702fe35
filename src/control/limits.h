/* What a client of the front door may ask of it: sizes, counts and times, beside those of rpc/limits.h
 * (the sizes of heads and bodies, and the time for a head). */
#ifndef CHAINSI_CONTROL_LIMITS_H
#define CHAINSI_CONTROL_LIMITS_H

#include <stdint.h>

#include "rpc/limits.h"

/* Bytes of all clients' bodies that come in or are being answered; what would exceed it is answered with 503
 * and may come again. Bodies that fit in what a connection keeps don't count. */
#define CHAINSI_MAX_HELD_BODIES (UINT64_C(4) << 30)

enum {
    /* From accepting to the end of the TLS handshake. */
    CHAINSI_HANDSHAKE_TIMEOUT_MS = 10 * 1000,
    /* Before the first byte of the first request; a connection that said nothing yet is cheap to make. */
    CHAINSI_SILENCE_TIMEOUT_MS = 60 * 1000,
    /* Between requests. */
    CHAINSI_IDLE_TIMEOUT_MS = 300 * 1000,
    /* Whoever sends a body, or reads an answer of which more waits, has to move so many bytes (or all that is
     * left) in every such time. A body that comes slower is answered with 408, a slower reader is cut off. */
    CHAINSI_PACE_MS = 30 * 1000,
    CHAINSI_PACE_BYTES = 30 * 1024,

    /* Bytes of further requests that are read while one runs; the rest stays in the socket. */
    CHAINSI_READ_AHEAD = 64 * 1024,
    /* Bytes of an answer that wait for its reader; beyond, whoever answers is held back. */
    CHAINSI_WRITE_AHEAD = 1024 * 1024,
    /* Bytes of a body that are held in memory; a larger one goes to a file below CHAINS_HOME. */
    CHAINSI_SPOOL_FROM = 1024 * 1024,
    /* Bytes of buffers that an idle connection keeps for its next request, each. */
    CHAINSI_KEPT_BUFFER = 64 * 1024,

    /* Connections of one client: of an IPv4 address, or of the /64 of an IPv6 one. That of all together is
     * CHAINSI_MAX_CONNECTIONS, and lower where RLIMIT_NOFILE is. Beyond either, a connection is answered with
     * 429 or 503 without being read (over TLS, closed). */
    CHAINSI_MAX_CONNECTIONS_OF_ONE = 1024,

    /* Characters of an X-Request-Id that a client gives; a longer one is replaced. */
    CHAINSI_REQUEST_ID = 128,
};

#endif
