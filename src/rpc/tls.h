/* TLS as a table of functions, so that only programs that speak it have a TLS library in memory. The engine is
 * OpenSSL's (src/rpc/tls/openssl.c), which comes two ways:
 *   linked    by the library chains_tls, for programs that call external services by https
 *   loaded    while the program runs (chainsi_tls_load), for services that speak TLS with each other: which
 *             do is known when they are deployed, not when they are built
 *
 * A program that calls by https makes one of the two happen before its first chainsi_client_new(); one that
 * doesn't gets a clear reason from chainsi_client_new(). */
#ifndef CHAINSI_RPC_TLS_H
#define CHAINSI_RPC_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    CHAINSI_TLS_PIN = 32,      /* bytes */
    CHAINSI_TLS_LOOK_MS = 500, /* the files of an identity are looked at no more often than that */
    CHAINSI_TLS_TICKETS = 8,   /* kept for one peer */
};

/* What a program proves itself by, to services that it calls and to callers, and whom it trusts: three PEM files,
 * watched for others in their place. For ever. */
typedef struct chainsi_tls_identity chainsi_tls_identity;
/* Whom a client calls: how it is known, and what shortens the next handshake. */
typedef struct chainsi_tls_peer chainsi_tls_peer;
/* One connection. */
typedef struct chainsi_tls_session chainsi_tls_session;

typedef struct chainsi_tls_files {
    const char *certificate; /* with those that lead to its authority */
    const char *key;
    const char *authorities; /* one or more: while they are exchanged, the old and the new */
} chainsi_tls_files;

/* How a peer is known. */
typedef struct chainsi_tls_peer_options {
    chainsi_tls_identity
        *identity;     /* NULL: no certificate is shown, and the authorities are the system's */
    const char *name;  /* that its certificate must have: a host's, or an IP address */
    const char *where; /* it is: for messages */
    const unsigned char
        *pin; /* not NULL: it must have the very certificate whose SHA-256 that is, and
                                 nothing else counts */
} chainsi_tls_peer_options;

/* Functions of an engine never block: where they would, they say which poll() events to wait for.
 * A session is used by one thread at a time, all else by any. */
typedef struct chainsi_tls_engine {
    /* Reads the files, whose names are copied. NULL with a reason. tell: is told why files that have changed are of no
     * use, so that what was read before stays in use; NULL: nobody is. */
    chainsi_tls_identity *(*load)(const chainsi_tls_files *files, void (*tell)(const char *text),
                                  char *why, size_t why_size);
    /* The options are copied. */
    chainsi_tls_peer *(*meet)(const chainsi_tls_peer_options *options);
    /* After its last session. NULL is allowed. */
    void (*part)(chainsi_tls_peer *peer);
    /* The calling side's session over a connected socket that stays the caller's. NULL with a reason. */
    chainsi_tls_session *(*open)(int fd, chainsi_tls_peer *peer, char *why, size_t why_size);
    /* The serving side's, whose peer must show a certificate of the identity's authorities. NULL: no memory. */
    chainsi_tls_session *(*accept)(int fd, chainsi_tls_identity *identity);
    /* Goes on with the handshake: 0 done, POLLIN or POLLOUT to wait for, -1 with a reason, and errno:
     * EPROTONOSUPPORT if the other end speaks plain HTTP, else EPROTO. */
    int (*handshake)(chainsi_tls_session *session, char *why, size_t why_size);
    /* Bytes moved; for read 0 at the peer's orderly end. -1 with *wait_for set to POLLIN or POLLOUT
     * where the call would block, or to 0 and errno on failure (an end without notice included,
     * ECONNRESET; EACCES: the peer has refused the certificate that it was shown, or that it was not, and read
     * nothing). */
    ssize_t (*read)(chainsi_tls_session *session, void *data, size_t size, short *wait_for);
    ssize_t (*write)(chainsi_tls_session *session, const void *data, size_t size, short *wait_for);
    /* Whether the last read has left nothing, neither here nor in the socket. */
    bool (*is_drained)(const chainsi_tls_session *session);
    /* Whether the handshake was a short one. */
    bool (*is_resumed)(const chainsi_tls_session *session);
    /* After EACCES: why the peer has refused. "" otherwise. */
    const char *(*refusal)(const chainsi_tls_session *session);
    /* Frees the session, after a goodbye that is not waited for. Leaves the socket open. */
    void (*close)(chainsi_tls_session *session);
} chainsi_tls_engine;

/* Sets the engine that clients made from now on use for https; it must live for ever. Before
 * threads are started. */
void chainsi_tls_set_engine(const chainsi_tls_engine *engine);
/* The engine; NULL if the program has none. */
const chainsi_tls_engine *chainsi_tls_get_engine(void);

/* In the library chains_tls: makes OpenSSL the engine. It verifies certificate and host name; the
 * authorities are those of the system, or of the file that SSL_CERT_FILE names. */
void chainsi_tls_register(void);
/* The same with OpenSSL's libraries loaded now, unless there is an engine. False with a reason. Any thread. */
bool chainsi_tls_load(char *why, size_t why_size);

#endif
